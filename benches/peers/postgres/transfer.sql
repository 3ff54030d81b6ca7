\set sender random(1, :accounts)
\set receiver 1 + (:sender - 1 + random(1, :accounts - 1)) % :accounts
select transfer(:sender, :receiver, 1);
