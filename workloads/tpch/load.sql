-- SPDX-License-Identifier: GPL-2.0-or-later
-- The files are the client's, in its current folder.
load data local infile 'part.tbl' into table part fields terminated by '|' lines terminated by '|\n';
load data local infile 'partsupp.tbl' into table partsupp fields terminated by '|' lines terminated by '|\n';
load data local infile 'supplier.tbl' into table supplier fields terminated by '|' lines terminated by '|\n';
