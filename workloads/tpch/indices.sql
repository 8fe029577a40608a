-- SPDX-License-Identifier: GPL-2.0-or-later
-- Secondary indices on columns that query 16 doesn't use (paper, section 7.2.2).
create index part_name on part (p_name);
create index part_price on part (p_retailprice);
create index partsupp_cost on partsupp (ps_supplycost);
create index partsupp_comment on partsupp (ps_comment);
create index supplier_balance on supplier (s_acctbal);
analyze table part, partsupp, supplier;
