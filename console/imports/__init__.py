"""Files with sales and past clicks: read, looked at row by row, and handed to intake."""
