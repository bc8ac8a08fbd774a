-- Nothing asks for the records that hold one content; the index was only kept up.
drop index attachment_by_blob;
