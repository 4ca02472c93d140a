-- What exactly was wrong with a reported item, where the words of its reason can't say: the field and what it needs.
alter table submissions add column detail text;
