//! What happened to the gateway before, also in earlier lives of it: from the audit log.

use super::table::{Cell, Column, Table};
use super::visit::Visit;
use crate::audit::{Action, Filter, GATEWAY};

/// Entries shown; the system's page has all of them.
const SHOWN: usize = 50;

/// The newest of the gateway's own entries of one kind; none where they can't be read, which the log says.
pub(super) async fn of(visit: &Visit, name: &'static str, caption: &'static str, action: Action) -> Table {
    let l = visit.l;
    let filter = Filter { who: Some(GATEWAY.to_owned()), action: Some(action), subject: None };
    let page = visit.console.operators.audit.newest(None, SHOWN, filter).await.unwrap_or_else(|error| {
        tracing::error!(%error, "what happened before can't be shown");
        crate::audit::Page::default()
    });
    let row = |(place, entry): (usize, crate::audit::Entry)| {
        let cells = vec![
            Cell::Time(entry.at),
            Cell::maybe(entry.subject),
            Cell::maybe(entry.detail.map(|detail| visit.text(&detail))),
        ];
        (place.to_string(), cells)
    };
    Table {
        name,
        caption,
        none: l.pick("nothing is noted", "没有记录"),
        columns: vec![
            Column::words("at", l.pick("Time", "时间")),
            Column::words("about", l.pick("About", "对象")),
            Column::words("what", l.pick("What happened", "事件")),
        ],
        rows: page.entries.into_iter().enumerate().map(row).collect(),
    }
}
