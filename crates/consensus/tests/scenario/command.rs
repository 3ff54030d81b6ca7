//! The words of a scenario.
//!
//! ```text
//! nodes N                 a fresh network of N nodes
//! tick A.. [for T]        time passes on some nodes (`all`: on every live one)
//! pass [T]                T times: one tick on every live node, and all messages arrive, in brief
//! campaign A              ask for votes now
//! elect A                 campaign and settle, without the details
//! propose A TEXT          a batch for node A
//! persist A               sync what A has written
//! deliver A -> B [N]      deliver what is on its way, or its first N messages
//! drop A -> B             lose what is on its way     duplicate, reverse: likewise
//! settle                  sync and deliver until nothing is on its way, in brief
//! partition A.. | B..     nothing passes between the sides     one-way A -> B: nothing passes this way     heal
//! crash A                 unsynced writes are lost       tear A: half of the first one survives
//! restart A
//! lose A I                a crashed node's disk forgets the entries from I on
//! compact A I             A's ledger has everything up to I
//! transfer A [B]          A hands its office over
//! installed A I@V         A got everything up to there out of band     failed A: it could not
//! unreachable A B         A's connection to B broke
//! join N                  a fresh node that knows nobody
//! want A N.. [+ N..]      node A is told who is wanted, those without a vote behind the +; configurations are shown from here on     want all N..
//! status A
//! brief …                 any of these, without its writes and messages
//! ```

use bytes::Bytes;
use consensus::{Config, Driver, Index, Input, Member, Point, Wanted};

use super::{Cluster, Detail, Node, describe_role};

pub fn run(cluster: &mut Cluster, line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (name, rest) = words.split_first().ok_or("an empty command")?;
    match (*name, rest) {
        ("brief", _) => with(cluster, Detail::Brief, |cluster| run(cluster, line.trim_start_matches("brief "))),
        ("nodes", [count]) => nodes(cluster, number(count)?),
        ("tick", rest) => tick(cluster, rest),
        ("pass", []) => pass(cluster, 1),
        ("pass", [times]) => pass(cluster, number(times)?),
        ("campaign", [id]) => cluster.step(number(id)?, Input::Campaign),
        ("elect", [id]) => with(cluster, Detail::Least, |cluster| {
            cluster.step(number(id)?, Input::Campaign)?;
            cluster.settle()
        }),
        ("propose", [id, text]) => cluster.step(number(id)?, Input::Propose(Bytes::copy_from_slice(text.as_bytes()))),
        ("persist", [id]) => cluster.persist(number(id)?).map(drop),
        ("deliver", [from, "->", to]) => cluster.deliver(number(from)?, number(to)?, usize::MAX).map(drop),
        ("deliver", [from, "->", to, most]) => {
            let most = number(most)? as usize;
            cluster.deliver(number(from)?, number(to)?, most).map(drop)
        }
        ("drop", [from, "->", to]) => wire(cluster, from, to, Vec::clear),
        ("duplicate", [from, "->", to]) => wire(cluster, from, to, |messages| messages.extend(messages.clone())),
        ("reverse", [from, "->", to]) => wire(cluster, from, to, |messages| messages.reverse()),
        ("settle", []) => with(cluster, Detail::Brief, Cluster::settle),
        ("partition", sides) => partition(cluster, sides),
        ("one-way", [from, "->", to]) => {
            cut(cluster, number(from)?, number(to)?);
            Ok(())
        }
        ("heal", []) => {
            cluster.cut.clear();
            Ok(())
        }
        ("crash", [id]) => crash(cluster, number(id)?, false),
        ("tear", [id]) => crash(cluster, number(id)?, true),
        ("restart", [id]) => restart(cluster, number(id)?),
        ("lose", [id, from]) => {
            let from = Index(number(from)?);
            cluster.node(number(id)?)?.disk.lose(from);
            Ok(())
        }
        ("compact", [id, index]) => {
            let index = Index(number(index)?);
            cluster.node(number(id)?)?.disk.compact(index);
            cluster.step(number(id)?, Input::Compact(index))
        }
        ("transfer", [id]) => cluster.step(number(id)?, Input::Transfer(None)),
        ("transfer", [id, to]) => cluster.step(number(id)?, Input::Transfer(Some(Member(number(to)?)))),
        ("installed", [id, point]) => {
            let point = parse_point(point)?;
            cluster.node(number(id)?)?.disk.install(point);
            cluster.step(number(id)?, Input::Installed(point))
        }
        ("failed", [id]) => cluster.step(number(id)?, Input::CatchUpFailed),
        ("unreachable", [id, peer]) => cluster.step(number(id)?, Input::Unreachable(Member(number(peer)?))),
        ("join", [id]) => {
            let id = number(id)?;
            add(cluster, Config::new(Member(id), Vec::new(), 1))
        }
        ("want", [who, wanted @ ..]) => {
            let (voters, followers) = match wanted.iter().position(|word| *word == "+") {
                Some(place) => (&wanted[..place], &wanted[place + 1..]),
                None => (wanted, &[][..]),
            };
            let members = |words: &[&str]| words.iter().map(|word| number(word).map(Member)).collect::<Result<_, _>>();
            let wanted = Wanted { voters: members(voters)?, followers: members(followers)? };
            cluster.changes = true;
            let who = if *who == "all" { cluster.live() } else { vec![number(who)?] };
            for id in who {
                cluster.node(id)?.wanted = Some(wanted.clone());
                cluster.step(id, Input::Want(wanted.clone()))?;
            }
            Ok(())
        }
        ("status", [id]) => status(cluster, number(id)?),
        _ => Err("not a command".to_owned()),
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("{word} is not a number"))
}

fn parse_point(word: &str) -> Result<Point, String> {
    let (index, view) = word.split_once('@').ok_or_else(|| format!("{word} is not index@view"))?;
    Ok(Point::new(number(index)?, number(view)?))
}

fn with(
    cluster: &mut Cluster,
    detail: Detail,
    run: impl FnOnce(&mut Cluster) -> Result<(), String>,
) -> Result<(), String> {
    cluster.detail = detail;
    let done = run(cluster);
    cluster.detail = Detail::Full;
    done
}

fn nodes(cluster: &mut Cluster, count: u64) -> Result<(), String> {
    let members: Vec<_> = (1..=count).map(Member).collect();
    for id in 1..=count {
        add(cluster, Config::new(Member(id), members.clone(), 1))?;
    }
    Ok(())
}

fn add(cluster: &mut Cluster, config: Config) -> Result<(), String> {
    let id = config.id.0;
    cluster.nodes.insert(id, Node { config, disk: Default::default(), driver: None, wanted: None });
    restart(cluster, id)
}

fn tick(cluster: &mut Cluster, words: &[&str]) -> Result<(), String> {
    let (who, times) = match words {
        [who @ .., "for", times] => (who, number(times)?),
        who => (who, 1),
    };
    let ids = match who {
        ["all"] => cluster.live(),
        who => who.iter().map(|word| number(word)).collect::<Result<_, _>>()?,
    };
    for _ in 0..times {
        for id in &ids {
            cluster.step(*id, Input::Tick)?;
        }
    }
    Ok(())
}

fn pass(cluster: &mut Cluster, times: u64) -> Result<(), String> {
    with(cluster, Detail::Brief, |cluster| {
        (0..times).try_for_each(|_| {
            tick(cluster, &["all"])?;
            cluster.settle()
        })
    })
}

fn wire(cluster: &mut Cluster, from: &str, to: &str, change: fn(&mut Vec<Bytes>)) -> Result<(), String> {
    if let Some(messages) = cluster.wires.get_mut(&(number(from)?, number(to)?)) {
        change(messages);
    }
    Ok(())
}

fn partition(cluster: &mut Cluster, words: &[&str]) -> Result<(), String> {
    let sides = words.split(|word| *word == "|");
    let sides = sides.map(|side| side.iter().map(|word| number(word)).collect::<Result<Vec<_>, _>>());
    let sides = sides.collect::<Result<Vec<_>, _>>()?;
    for (place, side) in sides.iter().enumerate() {
        for (from, to) in side.iter().flat_map(|a| sides[place + 1..].iter().flatten().map(move |b| (*a, *b))) {
            cut(cluster, from, to);
            cut(cluster, to, from);
        }
    }
    Ok(())
}

fn cut(cluster: &mut Cluster, from: u64, to: u64) {
    cluster.cut.insert((from, to));
    cluster.wires.remove(&(from, to));
}

fn crash(cluster: &mut Cluster, id: u64, torn: bool) -> Result<(), String> {
    let node = cluster.node(id)?;
    node.driver = None;
    node.disk.crash(torn);
    cluster.wires.retain(|(_, to), _| *to != id);
    Ok(())
}

fn restart(cluster: &mut Cluster, id: u64) -> Result<(), String> {
    let node = cluster.node(id)?;
    match Driver::new(node.config.clone(), node.disk.stored()) {
        Ok(driver) => {
            node.driver = Some(driver);
            if let Some(wanted) = node.wanted.clone() {
                cluster.step(id, Input::Want(wanted))?;
            }
        }
        Err(error) => cluster.say(Detail::Least, id, &format!("does not start: {error}")),
    }
    Ok(())
}

fn status(cluster: &mut Cluster, id: u64) -> Result<(), String> {
    let driver = cluster.node(id)?.driver.as_ref().ok_or_else(|| format!("node {id} is down"))?;
    let status = driver.status();
    let role = describe_role(status.role);
    let (start, last, committed) = (status.start, status.last, status.committed);
    cluster.say(
        Detail::Least,
        id,
        &format!("{role}; log behind {start} to {last}, committed {committed}, applied {}", status.applied),
    );
    for peer in status.peers {
        let doing = if peer.catching_up { "catching up" } else { "following" };
        cluster.say(Detail::Least, id, &format!("  n{} has {} ({doing})", peer.member, peer.matched));
    }
    Ok(())
}
