-- What a ledger keeps of transfers: who has how much, how many transfers each has made, and every transfer.
-- In PostgreSQL's favour: keys are small integers rather than 20-byte addresses, and amounts are 64 and not 256 bits wide.
-- Clients of a ledger know a transfer by a hash of 32 bytes and find it by that; `by_hash` says whether they do here. Without it
-- a transfer is found by its number.

create table accounts (
  id integer primary key,
  balance bigint not null check (balance >= 0),
  nonce bigint not null
) with (fillfactor = 50); -- room for the next version of a row on its own page: no index is touched by a transfer

create table transfers (
  id bigint generated always as identity primary key,
  sender integer not null,
  nonce bigint not null,
  receiver integer not null,
  amount bigint not null,
  at timestamptz not null default now()
);

\if :by_hash
alter table transfers add column hash bytea not null unique
  generated always as (sha256(int4send(sender) || int8send(nonce))) stored;
\endif

insert into accounts select n, 1000000000000, 0 from generate_series(1, :accounts) n;

-- One transfer, one call, one transaction. Accounts are locked in the order of their numbers, so nobody waits in a circle.
-- The nonce is what the account's is: a client of PostgreSQL has no need to know it.
create function transfer(sender integer, receiver integer, amount bigint) returns bigint language plpgsql as $$
declare
  used bigint;
begin
  if sender < receiver then
    update accounts set balance = balance - amount, nonce = nonce + 1 where id = sender returning nonce into used;
    update accounts set balance = balance + amount where id = receiver;
  else
    update accounts set balance = balance + amount where id = receiver;
    update accounts set balance = balance - amount, nonce = nonce + 1 where id = sender returning nonce into used;
  end if;
  insert into transfers (sender, nonce, receiver, amount) values (sender, used, receiver, amount);
  return used;
end $$;

analyze;
