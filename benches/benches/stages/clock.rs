//! Two clocks, and how what they measured is printed.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use rustix::time::{ClockId, clock_gettime};

/// Something that only goes forward.
#[derive(Clone, Copy)]
pub enum Clock {
    /// What this process has had from the CPUs, all its threads together: what a stage costs, not how long it takes. Whoever
    /// else computes on the machine hardly moves it.
    Cpu,
    /// The time that passes, for what waits for a disk.
    Passing,
}

impl Clock {
    pub fn now(self) -> Duration {
        static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::Passing => BEGUN.elapsed(),
            Self::Cpu => {
                let time = clock_gettime(ClockId::ProcessCPUTime);
                Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
            }
        }
    }
}

impl Measurement for Clock {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        self.now()
    }

    fn end(&self, begun: Duration) -> Duration {
        self.now().saturating_sub(begun)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_secs_f64() * 1e9
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &PerElement
    }
}

/// Times as Criterion prints them, and beside them what one transaction costs instead of how many there are in a second.
struct PerElement;

impl ValueFormatter for PerElement {
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_values(typical, values)
    }

    fn scale_throughputs(&self, _: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        let Throughput::Elements(elements) = throughput else { return "ns" };
        for value in values {
            *value /= *elements as f64 * 1e3;
        }
        "µs each"
    }

    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        "ns"
    }
}
