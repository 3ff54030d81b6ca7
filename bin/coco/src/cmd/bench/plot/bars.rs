//! Transactions a second, a bar for each measurement.

use super::super::report::Measurement;
use super::svg::{Anchor, Svg};
use super::{MARGIN, WIDTH, short_name, workloads};

const LINE: f64 = 22.0;
const BAR: f64 = 14.0;
const TITLE_HEIGHT: f64 = 30.0;
const NAME_WIDTH: f64 = 290.0;
const NUMBER_WIDTH: f64 = 70.0;

/// Returns the height of what was drawn.
pub fn draw(svg: &mut Svg, rows: &[Measurement], top: f64) -> f64 {
    svg.text((MARGIN, top + 14.0), Anchor::Start, "title", "Transactions a second, until every receipt was seen");
    let most = rows.iter().map(|row| row.transactions_per_second).fold(1.0, f64::max);
    let workloads = workloads(rows);
    let room = WIDTH - 2.0 * MARGIN - NAME_WIDTH - NUMBER_WIDTH;
    for (i, row) in rows.iter().enumerate() {
        let y = top + TITLE_HEIGHT + i as f64 * LINE;
        let name = format!("{}, {}", row.workload, short_name(row));
        let color = workloads.iter().position(|workload| *workload == row.workload).unwrap_or_default();
        let width = room * row.transactions_per_second / most;
        svg.text((MARGIN, y + BAR - 3.0), Anchor::Start, "label", &name);
        svg.bar((MARGIN + NAME_WIDTH, y), width.max(1.0), BAR, color);
        let number = format!("{:.0}", row.transactions_per_second);
        svg.text((MARGIN + NAME_WIDTH + width + 8.0, y + BAR - 3.0), Anchor::Start, "label", &number);
    }
    TITLE_HEIGHT + rows.len() as f64 * LINE
}
