-- What people call a workspace. Its name is its key, in commands, files, the API and every row of it.
alter table workspaces add column title text check (char_length(title) between 1 and 100);
