//! What else the machine is doing.

use std::time::Duration;

/// The load average of the last minute, where the system tells.
pub(crate) fn average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// Share of the processors' time that is in use while this program waits, from 0 to 1.
pub(crate) fn busy(wait: Duration) -> Option<f64> {
    let before = times()?;
    std::thread::sleep(wait);
    let after = times()?;
    let (idle, all) = (after.0 - before.0, after.1 - before.1);
    (all > 0.0).then(|| 1.0 - idle / all)
}

/// Idle time and all time since the start of the system, in ticks.
fn times() -> Option<(f64, f64)> {
    idle_and_all(&std::fs::read_to_string("/proc/stat").ok()?)
}

/// The line `cpu`: user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in user already.
fn idle_and_all(text: &str) -> Option<(f64, f64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<f64> = line.split_whitespace().take(8).map_while(|tick| tick.parse().ok()).collect();
    (ticks.len() == 8).then(|| (ticks[3] + ticks[4], ticks.iter().sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_not_counted_twice() {
        let text = "cpu  10 1 5 60 20 1 2 1 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(idle_and_all(text), Some((80.0, 100.0)));
        assert_eq!(idle_and_all("cpu  1 2 3"), None);
    }
}
