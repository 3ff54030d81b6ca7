//! What scripts can do, and above all what they cannot.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governance::constitution::DEFAULT;
use governance::engine::{
    Answer, Bounds, Call, Compiled, Done, Effect, Failure, Job, Late, Runner, Watched, check_constitution,
};
use serde_json::json;
use world::{Obliging, World, clock, inline, put_json};

const LEAST: Bounds = Bounds::LEAST;

fn job(world: &World, script: &str, call: Call, bounds: Bounds) -> Job {
    let state = world.store.head().clone();
    Job {
        script: script.into(),
        author: None,
        call,
        before: state.clone(),
        state,
        bounds,
        time: world.time,
        seed: 5,
        service: Arc::new(Obliging),
        given: Arc::new(["public:app".to_owned()].into()),
        compiled: None,
    }
}

fn vote_call() -> Call {
    Call::Vote { proposal: "{}".into(), proposer: "p".into() }
}

fn apply_call() -> Call {
    Call::Apply { proposal: "{}".into(), proposal_id: "id".into() }
}

/// Runs the body of a `vote` whose result must be `true`.
fn holds(body: &str) {
    let world = World::new("", 2);
    let script = format!("export function vote(text, proposer) {{ {body} }}");
    match inline().run(job(&world, &script, vote_call(), LEAST)) {
        Ok(done) => assert_eq!(done.answer, Answer::Vote(true), "{body}: {:?}", done.log),
        Err(failure) => panic!("{body}: {failure:?}"),
    }
}

fn apply(body: &str, bounds: Bounds) -> Result<Done, Failure> {
    let world = World::new("", 2);
    inline().run(job(&world, &format!("export function apply(text, id) {{ {body} }}"), apply_call(), bounds))
}

/// Runs the body of a `vote` within narrow bounds, and gives the failure.
fn fails(body: &str) -> Failure {
    let world = World::new("", 2);
    let script = format!("export function vote() {{ {body} }}");
    let bounds = Bounds { heap_bytes: 16 << 20, steps: 200, ..LEAST };
    inline().run(job(&world, &script, vote_call(), bounds)).expect_err(body)
}

fn thrown(failure: Failure) -> String {
    match failure {
        Failure::Thrown { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tables_answer_as_those_of_ccf_do() {
    for body in [
        "const map = ccf.kv['public:ccf.gov.members.info']; return map.size === 2;",
        "let seen = 0; ccf.kv['public:ccf.gov.members.info'].forEach((v, k, map) => {
           seen += map.has(k) && ccf.bufToJsonCompatible(v).status === 'Active' ? 1 : 100; }); return seen === 2;",
        "return ccf.kv['public:ccf.gov.members.info'].get(ccf.strToBuf('nobody')) === undefined;",
        "return ccf.kv['public:ccf.gov.service.info'].getVersionOfPreviousWrite(new ArrayBuffer(8)) === 1;",
        "return ccf.kv['public:ccf.gov.service.info'].getVersionOfPreviousWrite(new ArrayBuffer(7)) === undefined;",
        "return ccf.kv['public:ccf.gov.no.such.table'].size === 0 && !ccf.kv['public:ccf.gov.x'].has(new ArrayBuffer(1));",
        "try { ccf.kv['public:ccf.gov.members.info'].get('text') } catch (e) { return e instanceof TypeError }",
        "try { ccf.kv['public:ccf.gov.members.info'].set(new ArrayBuffer(1)) } catch (e) {
           return e.message === 'Passed 1 arguments, but expected 2' }",
        "return proposer === 'p' && text === '{}';",
    ] {
        holds(body);
    }
}

#[test]
fn texts_bytes_and_json_become_each_other() {
    for body in [
        "return ccf.bufToStr(ccf.strToBuf('grüße 🦀')) === 'grüße 🦀';",
        "return ccf.strToBuf('ü').byteLength === 2;",
        "const all = new Uint8Array(256).map((_, i) => i).buffer; const read = ccf.bufToStr(all);
         return new Set(read).size === 256;",
        "return ccf.bufToJsonCompatible(ccf.jsonCompatibleToBuf({ a: [1, 'x', null] })).a[1] === 'x';",
        "try { ccf.jsonCompatibleToBuf(undefined) } catch (e) { return e instanceof TypeError }",
        "try { ccf.bufToJsonCompatible(ccf.strToBuf('{')) } catch (e) { return e instanceof SyntaxError }",
        "const hash = new Uint8Array(ccf.crypto.digest('SHA-256', ccf.strToBuf('abc'))).toHex();
         return hash.startsWith('ba7816bf') && ccf.digest('SHA-256', new ArrayBuffer(0)).byteLength === 32;",
        "return ccf.crypto.isValidX509CertBundle('x') === false && ccf.crypto.isValidX509CertBundle(7) === false;",
    ] {
        holds(body);
    }
}

#[test]
fn keys_and_certificates_are_read_and_checked() {
    let world = World::new("", 1);
    let member = &world.members[0];
    let pem = json!(member.pem);
    let key = json!(member.key.public().to_pem());
    let signature = const_hex::encode(member.key.sign(b"data").unwrap());
    for body in [
        format!("return ccf.pemToId({pem}) === '{}'", member.id),
        format!("return ccf.crypto.isValidX509CertBundle({pem} + {pem})"),
        format!("return ccf.crypto.isValidX509CertChain({pem}, {pem}) && !ccf.crypto.isValidX509RootCACert({pem})"),
        format!("return ccf.crypto.isValidX509RootCACert({})", json!(world.service_pem)),
        format!("return !ccf.crypto.isValidX509CertChain({pem}, {})", json!(world.service_pem)),
        format!(
            "const jwk = ccf.crypto.pubPemToJwk({key}, 'kid'); return jwk.crv === 'P-384' && jwk.kid === 'kid' && ccf.crypto.pubJwkToPem(jwk) === {key}"
        ),
        format!("try {{ ccf.crypto.pubRsaPemToJwk({key}) }} catch (e) {{ return e.message.includes('EC') }}"),
        format!(
            "const sig = Uint8Array.fromHex('{signature}').buffer; const es = {{ name: 'ECDSA', hash: 'SHA-384' }};
             const check = (data) => ccf.crypto.verifySignature(es, {key}, sig, ccf.strToBuf(data));
             return check('data') && !check('date') && ccf.crypto.verifySignature(es, {pem}, sig, ccf.strToBuf('data'))"
        ),
    ] {
        holds(&body);
    }
}

#[test]
fn time_and_chance_are_arguments() {
    for body in [
        "return Date.now() === 1800000000000 && new Date().getTime() === Date.now();",
        "return new Date(2020, 0, 1).toString() === '2020-01-01T00:00:00.000Z' && new Date(0).getHours() === 0;",
        "return new Date('2020-01-01T00:00:00+01:00').getUTCHours() === 23 && isNaN(new Date('2020-01-01T00:00:00'));",
        "return new Date().getTimezoneOffset() === 0 && new Date() instanceof Date && new Date().constructor === Date;",
        "return Date() === '2027-01-15T08:00:00.000Z';",
        "const row = [Math.random(), Math.random()]; return row[0] !== row[1] && row.every((x) => 0 <= x && x < 1);",
    ] {
        holds(body);
    }
    let world = World::new("", 1);
    let script = "export function vote() { console.log(Math.random(), Math.random()); }";
    let run = || inline().run(job(&world, script, vote_call(), LEAST)).unwrap().log;
    assert_eq!(run(), run());
}

#[test]
fn there_is_no_second_compiler_and_no_machine() {
    for body in [
        "return typeof eval === 'undefined' && typeof Function === 'undefined' && typeof BigInt === 'undefined';",
        "return (() => {}).constructor === Object && (async () => {}).constructor === Object;",
        "return (function* () {}).constructor === Object || (function* () {}).constructor === undefined;",
        "return typeof require === 'undefined' && typeof std === 'undefined' && typeof performance === 'undefined';",
        "return typeof Atomics === 'undefined' && typeof setTimeout === 'undefined' && typeof WeakRef === 'undefined';",
        "return ccf.node === undefined && ccf.network === undefined && ccf.gov === undefined;",
    ] {
        holds(body);
    }
    let world = World::new("", 1);
    for (script, reason) in [
        ("import * as std from 'std'; export function vote() {}", "std"),
        ("export function vote() { return 1n }", "BigInt"),
        ("await 1; export function vote() {}", "await"),
        ("export function vote() { return ( }", "SyntaxError"),
        ("export function other() {}", "there is no function vote"),
        ("export const vote = 7;", "there is no function vote"),
        ("throw new RangeError('no');", "RangeError: no"),
        ("export function vote() { throw 'just a text' }", "just a text"),
        ("export function vote() { throw {} }", "a thrown object"),
        ("const t = ccf.kv['public:ccf.gov.members.info'].size; export function vote() {}", "may not be read here"),
    ] {
        let failure = thrown(inline().run(job(&world, script, vote_call(), LEAST)).expect_err(script));
        assert!(failure.contains(reason), "{script}: {failure}");
    }
}

#[test]
fn plain_functions_do_as_well_as_a_module() {
    let world = World::new("", 1);
    let done = inline().run(job(&world, "function vote() { return true }", vote_call(), LEAST)).unwrap();
    assert_eq!(done.answer, Answer::Vote(true));
}

#[test]
fn only_exactly_true_is_a_yes() {
    let world = World::new("", 1);
    for value in ["false", "1", "'true'", "undefined", "null", "{}", "new Boolean(true)", "[true]"] {
        let script = format!("export function vote() {{ return {value} }}");
        let done = inline().run(job(&world, &script, vote_call(), LEAST)).unwrap();
        assert_eq!(done.answer, Answer::Vote(false), "{value}");
    }
}

#[test]
fn only_apply_writes_and_only_where_it_may() {
    let done = apply(
        "const users = ccf.kv['public:ccf.gov.users.info']; const key = ccf.strToBuf('k');
         users.set(key, ccf.strToBuf('1')).set(key, ccf.strToBuf('2'));
         if (!users.has(key) || users.size !== 1 || ccf.bufToStr(users.get(key)) !== '2') throw Error('own write');
         if (users.getVersionOfPreviousWrite(key) !== undefined) throw Error('version');
         ccf.kv['public:app'].set(key, key);
         if (!ccf.kv['public:ccf.gov.members.info'].size) throw Error('empty');
         ccf.kv['public:ccf.gov.members.info'].clear();
         if (ccf.kv['public:ccf.gov.members.info'].size) throw Error('full');
         if (ccf.kv['public:ccf.gov.members.info'].delete(key)) throw Error('there was none');",
        LEAST,
    )
    .unwrap();
    assert_eq!(done.writes.len(), 5);
    assert_eq!(done.writes.iter().filter(|write| write.value.is_none()).count(), 2);
    for (table, right) in [
        ("public:ccf.internal.signatures", "written"),
        ("public:ccf.gov.no.such.table", "this network has no table"),
        ("public:other", "written"),
        ("private", "written"),
    ] {
        let body = format!("ccf.kv['{table}'].set(new ArrayBuffer(1), new ArrayBuffer(1))");
        assert!(thrown(apply(&body, LEAST).unwrap_err()).contains(right), "{table}");
    }
    assert!(thrown(apply("ccf.kv['public:app'].size", LEAST).unwrap_err()).contains("read"));
    assert!(
        thrown(fails("ccf.kv['public:ccf.gov.users.info'].set(new ArrayBuffer(1), new ArrayBuffer(1))"))
            .contains("written")
    );
}

#[test]
fn a_walk_sees_the_table_as_it_was_when_it_began() {
    let done = apply(
        "const users = ccf.kv['public:ccf.gov.users.info']; const key = (i) => ccf.strToBuf(String(1000 + i));
         for (let i = 0; i < 200; i++) users.set(key(i), key(i));
         let seen = 0;
         users.forEach((v, k) => { seen++; users.set(ccf.strToBuf('x' + ccf.bufToStr(k)), v); users.delete(k); });
         if (seen !== 200 || users.size !== 200) throw Error(seen + ' of ' + users.size);
         try { users.forEach(() => { throw Error('stop') }) } catch {}
         for (let i = 0; i < 30; i++) { try { users.forEach(() => { throw Error('stop') }) } catch {} }
         const nest = (n) => users.forEach(() => nest(n + 1));
         try { nest(0); } catch (e) { console.log(e.message) }",
        LEAST,
    )
    .unwrap();
    assert!(done.log[0].contains("16 walks"), "{:?}", done.log);
}

#[test]
fn what_touches_the_node_is_left_to_the_node() {
    let world = World::new("", 1);
    let pem = json!(world.service_pem);
    let body = format!(
        "ccf.node.triggerLedgerRekey(); ccf.node.triggerLedgerRekey(); ccf.node.triggerSnapshot();
         ccf.node.triggerLedgerChunk(); ccf.refreshAppBytecodeCache();
         ccf.node.transitionServiceToOpen(undefined, ccf.strToBuf({pem}));
         if (ccf.network.getLatestLedgerSecretSeqno() !== 7) throw Error('secret');
         if (ccf.network.generateEndorsedCertificate('csr', '2026', 3) !== 'endorsed csr from 2026 for 3 days') throw Error('endorse');
         if (ccf.node.shuffleSealedShares !== undefined) throw Error('shuffle');"
    );
    let effects = apply(&body, LEAST).unwrap().effects;
    let next = world.service_pem.clone();
    assert_eq!(
        effects,
        [
            Effect::RekeyLedger,
            Effect::TakeSnapshot,
            Effect::CloseChunk,
            Effect::RefreshBytecode,
            Effect::OpenService { previous: None, next }
        ]
    );
    let mut world = World::new("", 1);
    world.change(|_, tx| put_json(tx, "public:ccf.gov.service.info", &[0; 8], &json!({ "status": "Recovering" })));
    for call in ["triggerLedgerRekey", "triggerRecoverySharesRefresh"] {
        let script = format!("export function apply(a, b) {{ ccf.node.{call}() }}");
        let failure = inline().run(job(&world, &script, apply_call(), LEAST)).unwrap_err();
        assert!(thrown(failure).contains("recovers"));
    }
}

#[test]
fn a_script_that_does_not_end_is_stopped() {
    for body in [
        "for (;;) {}",
        "for (;;) { try { for (;;) {} } catch (e) {} finally { continue } }",
        "const f = () => { try { f() } finally { f() } }; f()",
        "for (;;) ccf.kv['public:ccf.gov.members.info'].size",
        "/^(a+)+$/.test('a'.repeat(40) + 'b')",
        "/(x+x+)+y/.exec('x'.repeat(5000))",
        "[3, 2, 1].sort(() => { for (;;) {} })",
        "JSON.stringify({ toJSON() { for (;;) {} } })",
        "new Proxy({}, { get() { for (;;) {} } }).x",
        "throw { get message() { for (;;) {} }, toString() { for (;;) {} } }",
        "const e = new Error('x'); Object.defineProperty(e, 'name', { get() { for (;;) {} } }); throw e",
        "function* all() { for (;;) yield 1 } for (const x of all()) {}",
    ] {
        if body.starts_with("throw {") {
            // What is thrown is not asked for its text.
            assert_eq!(fails(body), Failure::Thrown { reason: "a thrown object".into(), trace: None });
            continue;
        }
        assert_eq!(fails(body), Failure::Overrun, "{body}");
    }
}

#[test]
fn time_is_what_the_clock_says_however_many_steps_are_left() {
    let world = World::new("", 1);
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    let late: Late = Box::new(move || count.fetch_add(1, Ordering::Relaxed) >= 3);
    let script = "export function vote() { for (;;) {} }";
    assert_eq!(job(&world, script, vote_call(), LEAST).run(late).unwrap_err(), Failure::Overrun);
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

#[test]
fn a_script_that_eats_memory_starves_alone() {
    for body in [
        "const a = []; for (;;) a.push(new Array(1000).fill(7))",
        "let s = 'x'; for (;;) s += s + Math.random()",
        "'x'.repeat(1e9)",
        "new ArrayBuffer(1e9)",
        "new Uint8Array(1e10)",
        "const a = []; for (;;) a.push(new ArrayBuffer(1e6))",
        "const f = () => f(); f()",
        "const nest = (x) => nest([x]); nest([])",
        "JSON.parse('['.repeat(1e6))",
        "let a = []; for (let i = 0; i < 1e6; i++) a = [a]; JSON.stringify(a)",
        "new RegExp('('.repeat(1e5) + ')'.repeat(1e5))",
        "Array.from({ length: 1e9 })",
        "'a'.padEnd(2 ** 30)",
        "let m = new Map(); for (let i = 0; ; i++) m.set(i, {})",
        "ccf.strToBuf('x'.repeat(1e7)); const a = []; for (;;) a.push(ccf.strToBuf('x'.repeat(1e5)))",
    ] {
        match fails(body) {
            Failure::Thrown { reason, .. } => assert!(
                ["memory", "stack", "length", "invalid", "Invalid", "too", "SyntaxError", "RangeError"]
                    .iter()
                    .any(|known| reason.contains(known)),
                "{body}: {reason}"
            ),
            Failure::Overrun => {}
            Failure::Busy => panic!("{body}"),
        }
    }
}

#[test]
fn the_engine_holds_at_every_size_of_memory() {
    // Running out at any point of a call must leave a failure and no more: no crash, no leak that the engine trips over.
    let world = World::new("", 1);
    let script = "const table = ccf.kv['public:ccf.gov.members.info'];
        export function vote(text, id) { let n = 0; table.forEach((v) => { n += ccf.bufToJsonCompatible(v).status.length });
        const made = Array.from({ length: 50 }, (_, i) => ({ i, s: `${i}`.repeat(9) })); new Date();
        ccf.crypto.digest('SHA-256', ccf.jsonCompatibleToBuf(made)); class A { #x = 1; get x() { return this.#x } }
        return new A().x === 1 && /a(b+)c/.test('abbbc') && n > 0 }";
    let mut passed = 0;
    for kilobytes in (40..900).step_by(3) {
        let bounds = Bounds { heap_bytes: kilobytes << 10, steps: 100, ..LEAST };
        passed += usize::from(inline().run(job(&world, script, vote_call(), bounds)).is_ok());
    }
    assert!(passed > 50, "{passed}");
    // A whole constitution with all that its actions touch.
    let cert = json!(world.members[0].pem);
    let proposal = format!("{{\"actions\":[{{\"name\":\"set_user\",\"args\":{{\"cert\":{cert}}}}}]}}");
    for compiled in [None, Some(Compiled::default())] {
        let mut passed = 0;
        for kilobytes in (40..1_400).step_by(7) {
            let bounds = Bounds { heap_bytes: kilobytes << 10, steps: 100, ..LEAST };
            let call = Call::Apply { proposal: proposal.as_str().into(), proposal_id: "id".into() };
            let job = Job { compiled: compiled.clone(), ..job(&world, DEFAULT, call, bounds) };
            passed += usize::from(inline().run(job).is_ok());
        }
        assert!(passed > 20, "{passed}");
    }
}

#[test]
fn output_is_bounded_in_rows_bytes_and_words() {
    let bounds = Bounds { writes: 10, output_bytes: 1_000, log_bytes: 100, ..LEAST };
    let rows = "for (let i = 0; i < 11; i++) ccf.kv['public:ccf.gov.users.info'].set(ccf.strToBuf(`${i}`), new ArrayBuffer(1))";
    assert!(thrown(apply(rows, bounds).unwrap_err()).contains("too many rows"));
    let bytes = "ccf.kv['public:ccf.gov.users.info'].set(ccf.strToBuf('k'), new ArrayBuffer(1000))";
    assert!(thrown(apply(bytes, bounds).unwrap_err()).contains("too many bytes"));
    let key = "ccf.kv['public:ccf.gov.users.info'].set(new ArrayBuffer(70000), new ArrayBuffer(1))";
    assert!(thrown(apply(key, LEAST).unwrap_err()).contains("a key has at most"));
    let done = apply("for (let i = 0; i < 1000; i++) console.log('0123456789')", bounds).unwrap();
    assert_eq!(done.log.len(), 7);
    let world = World::new("", 1);
    let call = || Call::Validate { proposal: "{}".into() };
    let long = "export function validate(t) { return { valid: false, description: 'x'.repeat(2000) } }";
    assert!(thrown(inline().run(job(&world, long, call(), bounds)).unwrap_err()).contains("too long"));
    let error = "export function validate(t) { throw Error('x'.repeat(100000)) }";
    assert!(thrown(inline().run(job(&world, error, call(), LEAST)).unwrap_err()).len() < 5_000);
    let script = format!("// {}\nexport function validate(t) {{}}", "x".repeat(LEAST.script_bytes));
    assert!(thrown(inline().run(job(&world, &script, call(), LEAST)).unwrap_err()).contains("a script has at most"));
}

#[test]
fn validate_must_say_what_it_found() {
    let world = World::new("", 1);
    let run = |body: &str| {
        let script = format!("export function validate(text) {{ {body} }}");
        inline().run(job(&world, &script, Call::Validate { proposal: "{}".into() }, LEAST)).map(|done| done.answer)
    };
    let verdict = |valid, description: &str| Ok(Answer::Validity { valid, description: description.into() });
    assert_eq!(run("return { valid: true, description: 'fine' }"), verdict(true, "fine"));
    assert_eq!(run("return { valid: 1 }"), verdict(false, ""));
    assert_eq!(run("return {}"), verdict(false, ""));
    for none in ["return 'valid'", "return true", "return", "return null"] {
        assert!(thrown(run(none).unwrap_err()).contains("object"), "{none}");
    }
}

#[test]
fn a_constitution_has_its_three_functions() {
    let check = |script: &str| check_constitution(script, &LEAST, clock(LEAST.time));
    let good = "export function validate(a) {} export function resolve(a, b, c) {} export function apply(a, b) {}";
    check(good).unwrap();
    check(&good.replace("a, b, c", "a, b, c, d")).unwrap();
    for bad in [
        good.replace("validate(a)", "validate()"),
        good.replace("a, b, c", "a, b"),
        good.replace("apply(a, b)", "apply(a)"),
        good.replace("function apply", "function perform"),
        format!("{good} ("),
        format!("{good} ccf.kv['public:ccf.gov.members.info'].clear()"),
        format!("for (;;) {{}} {good}"),
    ] {
        assert!(check(&bad).is_err(), "{bad}");
    }
    let world = World::new("", 1);
    let script = format!(
        "export function validate(t) {{ try {{ ccf.gov.validateConstitution('export const x = 1') }} catch (e) {{
           ccf.gov.validateConstitution({}); return {{ valid: e instanceof TypeError }} }} }}",
        json!(good)
    );
    let done = inline().run(job(&world, &script, Call::Validate { proposal: "{}".into() }, LEAST)).unwrap();
    assert!(matches!(done.answer, Answer::Validity { valid: true, .. }));
}

#[test]
fn a_script_that_does_not_listen_keeps_nobody_waiting() {
    // Built-in functions that never look at the meter: their callers go on, and soon nobody else is let in.
    let world = World::new("", 1);
    let script =
        "export function vote() { const a = 'a'.repeat(1e5); a.indexOf(a.slice(5e4) + 'b'); new Array(5e7).join(''); }";
    let time = Duration::from_millis(20);
    let watched = Watched::new(Arc::new(clock));
    let bounds = Bounds { time, ..LEAST };
    let failures: Vec<_> =
        (0..4).map(|_| watched.run(job(&world, script, vote_call(), bounds)).map(|done| done.answer)).collect();
    // The first has three places; who comes while strays hold them all is told to come again.
    assert_eq!(failures[..3], [const { Err(Failure::Overrun) }; 3]);
    assert_eq!(failures[3], Err(Failure::Busy));
    #[cfg(target_os = "linux")]
    assert!(threads_that_step_back() > 0);
    let fresh = Watched::new(Arc::new(clock));
    let done = fresh.run(job(&world, world::YES, vote_call(), LEAST)).unwrap();
    assert_eq!(done.answer, Answer::Vote(true));
}

/// Threads of scripts that run when nobody else wants to.
#[cfg(target_os = "linux")]
fn threads_that_step_back() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let stat = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
    // Behind the name: the state first, the nice value seventeenth.
    let nice = |line: &String| line.split_once("(script) ").and_then(|(_, rest)| rest.split(' ').nth(16)) == Some("19");
    stat.filter(nice).count()
}

#[test]
fn a_script_that_is_kept_compiled_does_what_it_does_otherwise() {
    let world = World::new("", 1);
    let compiled = Compiled::default();
    let run = |script: &str| {
        let job = Job { compiled: Some(compiled.clone()), ..job(&world, script, vote_call(), LEAST) };
        inline().run(job).map(|done| (done.answer, done.log))
    };
    let script = "let calls = 0; export function vote(text, id) { console.log(++calls, /b+/.exec('abbc')[0], `${id}`);
        class A { #x = 1.5; get x() { return this.#x } } const { a, ...rest } = { a: 1, b: [2, 3] };
        return new A().x === 1.5 && rest.b[1] === 3 && [...'ü'].length === 1 }";
    for _ in 0..3 {
        // Whatever a call leaves in the script's own variables is gone with it.
        assert_eq!(run(script), Ok((Answer::Vote(true), vec!["log: 1 bb p".to_owned()])));
    }
    // More than are kept, and such as are none.
    for place in 0..20 {
        let script = format!("export function vote() {{ return {place} === {place} }}");
        assert_eq!(run(&script).unwrap().0, Answer::Vote(true));
    }
    for bad in [
        "export function vote( {",
        "export function vote() { return 1n }",
        "export function vote() { throw Error('x') }",
    ] {
        let failures = [run(bad).unwrap_err(), run(bad).unwrap_err()];
        assert_eq!(failures[0], failures[1]);
    }
    assert_eq!(run("function vote() { return true }").unwrap().0, Answer::Vote(true), "a plain script");
}
