-- SPDX-License-Identifier: GPL-2.0-or-later
-- TPC-H, clause 1.4.1: three of its tables. Text is compared byte by byte, as sort does in the C locale.
create database tpch character set latin1 collate latin1_bin;
use tpch;

create table part (
	p_partkey integer not null primary key,
	p_name varchar(55) not null,
	p_mfgr char(25) not null,
	p_brand char(10) not null,
	p_type varchar(25) not null,
	p_size integer not null,
	p_container char(10) not null,
	p_retailprice decimal(15,2) not null,
	p_comment varchar(23) not null
) engine=innodb;

create table partsupp (
	ps_partkey integer not null,
	ps_suppkey integer not null,
	ps_availqty integer not null,
	ps_supplycost decimal(15,2) not null,
	ps_comment varchar(199) not null,
	primary key (ps_partkey, ps_suppkey)
) engine=innodb;

create table supplier (
	s_suppkey integer not null primary key,
	s_name char(25) not null,
	s_address varchar(40) not null,
	s_nationkey integer not null,
	s_phone char(15) not null,
	s_acctbal decimal(15,2) not null,
	s_comment varchar(101) not null
) engine=innodb;
