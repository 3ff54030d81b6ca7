//! An Ethereum ledger under load: its accounts, its contracts, and what is signed ahead.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::Address;
use indicatif::ProgressBar;
use load::{Account, Amount, Endpoint, Feed, Measured, Plan, Preparing, Read, Rpc, Sender, Signer, Supply, Workload};

use super::measure::Sending;
use super::plan::Options;
use crate::cli;
use crate::printer::Printer;

const DEADLINE: Duration = Duration::from_secs(60);
/// Signed ahead for each second at full load: more than two cores can take.
const PER_SECOND_MAX: f64 = 50_000.0;
/// The same accounts every time, so that a second run on a network finds them funded.
const PURPOSE: &str = "coco bench";
/// Connections over which accounts do their own part of the preparation.
const PREPARING: usize = 8;

pub struct Ethereum {
    signer: Signer,
    /// Transactions that are signed before the clock, at most.
    ahead: usize,
    addresses: Arc<Vec<Address>>,
    /// Empty while a supply has them.
    senders: Vec<Sender>,
    token: Option<Address>,
    pair: Option<Address>,
    purchase_orders: Option<Address>,
    supplied: Option<(Supply, Vec<Feed>)>,
}

impl Ethereum {
    pub async fn prepare(
        endpoints: &[Endpoint],
        options: &Options,
        (accounts, ahead): (usize, usize),
        funder: &Account,
        printer: &Printer,
    ) -> Result<Self, load::Error> {
        let mut rpc = Rpc::new(endpoints[0].clone(), DEADLINE);
        let signer = Signer::suited(&mut rpc).await?;
        let accounts = tokio::task::spawn_blocking(move || Account::derived(PURPOSE, accounts));
        let accounts = accounts.await.map_err(|e| load::Error::Load(format!("no keys for the accounts: {e}")))?;
        let mut funders = load::senders(&mut rpc, std::slice::from_ref(funder)).await?;
        let mut ethereum = Self {
            signer,
            ahead,
            addresses: Arc::new(accounts.iter().map(Account::address).collect()),
            senders: load::senders(&mut rpc, &accounts).await?,
            token: None,
            pair: None,
            purchase_orders: None,
            supplied: None,
        };
        let mut bar: Option<(&str, ProgressBar)> = None;
        let mut progress = |what: &'static str, done: usize, of: usize| {
            if bar.as_ref().is_none_or(|(shown, _)| *shown != what) {
                let new = printer.bar(of as u64, "{bar:40} {human_pos}/{human_len} {msg} {eta}");
                new.set_message(what);
                if let Some((_, old)) = bar.replace((what, new)) {
                    old.finish_and_clear();
                }
            }
            if let Some((_, bar)) = &bar {
                bar.set_position(done as u64);
            }
        };
        for funder in &mut funders {
            let mut preparing = Preparing { rpc: &mut rpc, signer, funder, progress: &mut progress };
            preparing.fund(&accounts).await?;
            let tokens = [cli::Workload::Erc20, cli::Workload::Call, cli::Workload::Logs];
            if tokens.into_iter().any(|workload| options.measures(workload)) {
                ethereum.token = Some(preparing.token(&accounts).await?);
            }
            if options.measures(cli::Workload::Swap) {
                let senders = std::mem::take(&mut ethereum.senders);
                let (pair, senders) = preparing.pair(&accounts, senders, endpoints, PREPARING).await?;
                (ethereum.pair, ethereum.senders) = (Some(pair), senders);
            }
            if options.measures(cli::Workload::PurchaseOrder) {
                ethereum.purchase_orders = Some(preparing.purchase_orders().await?);
            }
        }
        if let Some((_, bar)) = bar {
            bar.finish_and_clear();
        }
        Ok(ethereum)
    }

    /// Signs ahead.
    pub async fn ready(&mut self, workload: cli::Workload, sending: &Sending<'_>) -> Result<(), load::Error> {
        let workload = match workload {
            cli::Workload::Transfer => Workload::Transfer,
            cli::Workload::Erc20 => Workload::Token { token: self.token.ok_or_else(missing)? },
            cli::Workload::Swap => Workload::Swap { pair: self.pair.ok_or_else(missing)? },
            cli::Workload::PurchaseOrder => {
                Workload::PurchaseOrders { contract: self.purchase_orders.ok_or_else(missing)? }
            }
            cli::Workload::Balance | cli::Workload::Call | cli::Workload::Logs => return Ok(()),
        };
        let plan = Plan { workload, signer: self.signer, addresses: self.addresses.clone() };
        let expected = sending.expected(PER_SECOND_MAX);
        let amount = Amount { batch: sending.shape.batch, expected, ahead: self.ahead, total: sending.total() };
        let senders = std::mem::take(&mut self.senders);
        self.supplied = Some(Supply::begin(plan, senders, sending.connections, amount).await?);
        Ok(())
    }

    pub async fn send(&mut self, workload: cli::Workload, sending: Sending<'_>) -> Result<Measured, load::Error> {
        let token = self.token.ok_or_else(missing);
        match workload {
            cli::Workload::Balance => self.read(Read::Balance, sending).await,
            cli::Workload::Call => self.read(Read::Call { token: token? }, sending).await,
            cli::Workload::Logs => self.read(Read::Logs { token: token? }, sending).await,
            _ => self.write(sending).await,
        }
    }

    async fn read(&self, read: Read, sending: Sending<'_>) -> Result<Measured, load::Error> {
        let Sending { endpoints, connections, bar, .. } = sending;
        let asked = (read, self.addresses.clone());
        load::run_reads(endpoints, connections, asked, sending.total(), sending.pace(), |done| bar.set_position(done))
            .await
    }

    async fn write(&mut self, sending: Sending<'_>) -> Result<Measured, load::Error> {
        let Some((supply, mut feeds)) = self.supplied.take() else {
            return Err(load::Error::Load("nothing was signed for this run".into()));
        };
        let progress = |confirmed| sending.bar.set_position(confirmed);
        let measured = load::run(sending.endpoints, &mut feeds, sending.pace(), progress).await?;
        self.senders = supply.end(feeds).await?;
        Ok(measured)
    }
}

fn missing() -> load::Error {
    load::Error::Load("a contract of this workload was not put up".into())
}
