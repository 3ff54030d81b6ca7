//! A fresh runtime for one call: made, bounded, used and thrown away.

use std::cell::RefCell;
use std::rc::Rc;

use rquickjs::context::intrinsic;
use rquickjs::function::{Args, IntoArg};
use rquickjs::{
    CatchResultExt, CaughtError, Coerced, Context, Ctx, Exception, Function, Module, Object, Runtime, Value,
};

use super::ask::{Answers, Ask, Task};
use super::binding::Border;
use super::bounds::{Bounds, Late, Meter};
use super::compiled::{Compiled, NAME};
use super::host::Host;
use super::log::Log;
use super::{Answer, Call, Done, Failure, Job, OVERRUN, Step};

/// What scripts find built in. `Promise` is there because modules need it; nothing ever runs its jobs.
pub(crate) type Builtins = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
);

/// Cycles are looked for from here on: most calls are over before.
const GC_BYTES: usize = 4 << 20;
const OUT_OF_MEMORY: &str = "out of memory";

impl Job {
    /// Runs the call. `late` is asked now and then whether its time is up.
    pub fn run(self, late: Late) -> Result<Done, Failure> {
        let host = Rc::new(RefCell::new(Host::of(&self)));
        let task = Task { call: self.call, bounds: self.bounds, time: self.time, seed: self.seed };
        let (answer, said) = task.run(&self.script, self.compiled.as_ref(), host.clone(), late)?;
        host.borrow_mut().finish(answer, said.iter().map(String::as_str))
    }
}

impl Task {
    /// Runs the call, and gives its answer and what it said on its console.
    pub(crate) fn run(
        &self,
        script: &str,
        compiled: Option<&Compiled>,
        answers: Rc<dyn Answers>,
        late: Late,
    ) -> Result<(Answer, Vec<String>), Failure> {
        let Self { bounds, time, seed, .. } = *self;
        let meter = Rc::new(Meter::new(bounds.steps, late));
        let log = Rc::new(RefCell::new(Log::new(bounds.log_bytes)));
        let step = self.step();
        let border = Border { answers, meter: meter.clone(), bounds, time, log: log.clone(), seed };
        let answer = within(&bounds, &meter, move |ctx| {
            let script = Script::load(ctx, script, &border, step, compiled)?;
            border.ask(ctx, Ask::Loaded)?;
            answer(ctx, step, script.call(ctx, &self.call)?)
        })?;
        let said = Rc::into_inner(log).map(RefCell::into_inner);
        Ok((answer, said.map(Log::into_lines).unwrap_or_default()))
    }
}

/// Checks that a script is a constitution: that it can be loaded and has the functions, with as many parameters as they are
/// called with.
pub fn check_constitution(script: &str, bounds: &Bounds, late: Late) -> Result<(), String> {
    check_within(script, bounds, &Rc::new(Meter::new(bounds.steps, late)))
}

/// As [`check_constitution`], on the meter of a call that is under way.
pub(crate) fn check_within(script: &str, bounds: &Bounds, meter: &Rc<Meter>) -> Result<(), String> {
    let (given, service) = (super::Given::default(), std::sync::Arc::new(super::NoService));
    let answers = Rc::new(RefCell::new(Host::new(Step::Validate, empty(), empty(), given, service, bounds)));
    let log = Rc::new(RefCell::new(Log::new(0)));
    let border = Border { answers, meter: meter.clone(), bounds: *bounds, time: 0, log, seed: 0 };
    let checked = within(bounds, meter, |ctx| {
        let script = Script::load(ctx, script, &border, Step::Validate, None)?;
        for (name, parameters) in [("validate", 1..=1), ("resolve", 3..=4), ("apply", 2..=2)] {
            let length: usize = script.function(ctx, name)?.get("length")?;
            if !parameters.contains(&length) {
                let message = format!("{name} must have {} to {} parameters", parameters.start(), parameters.end());
                return Err(Exception::throw_type(ctx, &message));
            }
        }
        Ok(())
    });
    checked.map_err(|failure| match failure {
        Failure::Thrown { reason, .. } => format!("not a constitution: {reason}"),
        Failure::Overrun | Failure::Busy => OVERRUN.to_owned(),
    })
}

/// A store without tables.
fn empty() -> kv::State {
    kv::State::new(std::sync::Arc::new(kv::Tables::new()), std::sync::Arc::new(kv::NoHistory))
}

/// Does something in a fresh context.
fn within<T>(
    bounds: &Bounds,
    meter: &Rc<Meter>,
    act: impl FnOnce(&Ctx<'_>) -> rquickjs::Result<T>,
) -> Result<T, Failure> {
    let runtime = Runtime::new().map_err(|_| Failure::thrown(OUT_OF_MEMORY))?;
    runtime.set_memory_limit(bounds.heap_bytes);
    runtime.set_max_stack_size(bounds.stack_bytes);
    runtime.set_gc_threshold(GC_BYTES);
    let steps = meter.clone();
    runtime.set_interrupt_handler(Some(Box::new(move || steps.step())));
    let context = Context::custom::<Builtins>(&runtime).map_err(|_| Failure::thrown(OUT_OF_MEMORY))?;
    let result = context.with(|ctx| act(&ctx).catch(&ctx).map_err(|error| failure(&error)));
    if meter.overran() { Err(Failure::Overrun) } else { result }
}

fn failure(error: &CaughtError<'_>) -> Failure {
    let text = |exception: &Exception<'_>, field: &str| {
        exception.as_object().get::<_, Option<Coerced<String>>>(field).ok().flatten().map(|text| text.0)
    };
    match error {
        CaughtError::Exception(exception) => {
            let name = text(exception, "name").unwrap_or_else(|| "Error".to_owned());
            let message = text(exception, "message").unwrap_or_default();
            let trace = exception.stack().filter(|trace| !trace.is_empty());
            Failure::Thrown { reason: cut(format!("{name}: {message}")), trace: trace.map(cut) }
        }
        // With no room for an error the engine throws nothing.
        CaughtError::Value(value) if value.is_null() => Failure::thrown("out of memory, or a thrown null"),
        CaughtError::Value(value) => {
            let text = value.as_string().and_then(|text| text.to_string().ok());
            Failure::thrown(cut(text.unwrap_or_else(|| format!("a thrown {}", value.type_name()))))
        }
        CaughtError::Error(rquickjs::Error::Allocation) => Failure::thrown(OUT_OF_MEMORY),
        CaughtError::Error(error) => Failure::thrown(cut(error.to_string())),
    }
}

/// A client is told enough to find its mistake, and a table does not fill with texts that scripts throw.
pub(crate) fn cut(mut text: String) -> String {
    const BYTES_MAX: usize = 4_096;
    if text.len() > BYTES_MAX {
        text.truncate(text.floor_char_boundary(BYTES_MAX));
        text.push('…');
    }
    text
}

/// Whether a script is looked through no more once it is compiled: a module, of a size that is allowed, that knows no BigInt.
pub(crate) fn may_be_kept(text: &str, bounds: &Bounds) -> bool {
    text.len() <= bounds.script_bytes && is_module(text) && !has_big_number(text)
}

fn is_module(text: &str) -> bool {
    text.contains("export")
}

/// A loaded script: the exports of a module, or the functions of a plain script.
enum Script<'js> {
    Module(Object<'js>),
    Plain,
}

impl<'js> Script<'js> {
    fn load(
        ctx: &Ctx<'js>,
        text: &str,
        border: &Border,
        step: Step,
        compiled: Option<&Compiled>,
    ) -> rquickjs::Result<Self> {
        let bounds = &border.bounds;
        if text.len() > bounds.script_bytes {
            return Err(Exception::throw_message(ctx, &format!("a script has at most {} bytes", bounds.script_bytes)));
        }
        let known = compiled.is_some_and(|compiled| compiled.knows(text));
        if !known && has_big_number(text) {
            return Err(Exception::throw_syntax(ctx, "BigInt is not known in governance"));
        }
        let name = match step {
            Step::Validate => "validate",
            Step::Ballot => "ballot",
            Step::Resolve => "resolve",
            Step::Apply => "apply",
            Step::Join => "join",
        };
        border.prepare(ctx, name)?;
        if !known && !is_module(text) {
            ctx.eval::<(), _>(text)?;
            return Ok(Self::Plain);
        }
        let module = match compiled {
            Some(compiled) => compiled.load(ctx, text)?,
            None => Module::declare(ctx.clone(), NAME, text)?,
        };
        let (module, loaded) = module.eval()?;
        match loaded.result::<Value<'js>>() {
            Some(result) => result.map(drop)?,
            None => return Err(Exception::throw_message(ctx, "a script of governance cannot await")),
        }
        Ok(Self::Module(module.namespace()?))
    }

    fn function(&self, ctx: &Ctx<'js>, name: &str) -> rquickjs::Result<Function<'js>> {
        let value: Value<'js> = match self {
            Self::Module(exports) => exports.get(name)?,
            Self::Plain => ctx.globals().get(name)?,
        };
        value.into_function().ok_or_else(|| Exception::throw_type(ctx, &format!("there is no function {name}")))
    }

    fn call(&self, ctx: &Ctx<'js>, call: &Call) -> rquickjs::Result<Value<'js>> {
        let function = self.function(ctx, call.function())?;
        let mut args = Args::new(ctx.clone(), 4);
        match call {
            Call::Validate { proposal } => args.push_arg(&proposal[..])?,
            Call::Vote { proposal, proposer } => {
                args.push_arg(&proposal[..])?;
                args.push_arg(&proposer[..])?;
            }
            Call::Resolve { proposal, proposer, votes, proposal_id } => {
                let list = rquickjs::Array::new(ctx.clone())?;
                for (place, (member, vote)) in votes.iter().enumerate() {
                    let entry = Object::new(ctx.clone())?;
                    entry.set("member_id", &member[..])?;
                    entry.set("vote", *vote)?;
                    list.set(place, entry)?;
                }
                args.push_arg(&proposal[..])?;
                args.push_arg(&proposer[..])?;
                list.into_arg(&mut args)?;
                args.push_arg(&proposal_id[..])?;
            }
            Call::Apply { proposal, proposal_id } => {
                args.push_arg(&proposal[..])?;
                args.push_arg(&proposal_id[..])?;
            }
            Call::Join { statements, node } => {
                ctx.json_parse(&statements[..])?.into_arg(&mut args)?;
                ctx.json_parse(&node[..])?.into_arg(&mut args)?;
            }
        }
        function.call_arg(args)
    }
}

/// What the function returned, read as its step wants it.
fn answer<'js>(ctx: &Ctx<'js>, step: Step, returned: Value<'js>) -> rquickjs::Result<Answer> {
    let text = |value: &Value<'js>| -> rquickjs::Result<String> {
        Ok(value.as_string().map(rquickjs::String::to_string).transpose()?.unwrap_or_default())
    };
    match step {
        Step::Validate => {
            let Some(verdict) = returned.as_object() else {
                return Err(Exception::throw_type(ctx, "validate must return an object"));
            };
            let valid = verdict.get::<_, Value<'js>>("valid")?.as_bool() == Some(true);
            Ok(Answer::Validity { valid, description: text(&verdict.get("description")?)? })
        }
        Step::Ballot => Ok(Answer::Vote(returned.as_bool() == Some(true))),
        Step::Resolve => Ok(Answer::Resolution(text(&returned)?)),
        Step::Apply => Ok(Answer::Applied),
        Step::Join if returned.as_bool() == Some(true) => Ok(Answer::Admission(None)),
        Step::Join if returned.is_string() => Ok(Answer::Admission(Some(cut(text(&returned)?)))),
        Step::Join => {
            let what = returned.as_bool().map_or_else(|| returned.type_name().to_owned(), |flag| flag.to_string());
            Ok(Answer::Admission(Some(format!("it answered {what}, and not true"))))
        }
    }
}

/// Whether a script has a number like `1n`, or what looks like one in a text or a comment. The arithmetic of such numbers
/// does not look at the meter, and there is no other way to make one: see the end of `prelude/core.js`.
fn has_big_number(script: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    let bytes = script.as_bytes();
    let ends = |end: usize| bytes.get(end + 1).is_none_or(|after| !word(*after));
    bytes.iter().enumerate().any(|(end, byte)| {
        if *byte != b'n' || !ends(end) {
            return false;
        }
        let start = bytes[..end].iter().rposition(|byte| !word(*byte)).map_or(0, |before| before + 1);
        is_number(&bytes[start..end])
    })
}

/// Whether a word is a number, written in any base.
fn is_number(word: &[u8]) -> bool {
    let (digits, hex) = match word {
        [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', digits @ ..] => (digits, true),
        [b'0'..=b'9', ..] => (word, false),
        _ => return false,
    };
    let digit = |byte: &u8| *byte == b'_' || if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
    !digits.is_empty() && digits.iter().all(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big_numbers_are_found_however_they_are_written() {
        for big in ["1n", "let x=10_0n;", "0xffn", "0b1n+1", "0o7n", "[1n]", "f(2n)", "1n", "x-0n"] {
            assert!(has_big_number(big), "{big}");
        }
        for plain in ["n", "an", "x1n", "1 n", "in", "10", "0xff", "_1n", "$1n", "nan", "1na"] {
            assert!(!has_big_number(plain), "{plain}");
        }
    }
}
