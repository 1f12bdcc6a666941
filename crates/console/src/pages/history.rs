//! What happened to the gateway before, also in earlier lives of it: from the audit log.

use std::time::Duration;

use tokio::time::timeout;

use super::table::{Cell, Column, Table};
use super::visit::Visit;
use crate::audit::{Action, Filter, GATEWAY};

/// How long the log is waited for: the page is wanted most when the disk is slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// Entries shown; the system's page has all of them.
const SHOWN: usize = 50;

/// The newest of the gateway's own entries of one kind.
pub(super) async fn of(visit: &Visit, name: &'static str, caption: &'static str, action: Action) -> Table {
    let l = visit.l;
    let filter = Filter { who: Some(GATEWAY.to_owned()), action: Some(action), subject: None };
    let read = timeout(PATIENCE, visit.console.operators.audit.newest(None, SHOWN, filter)).await;
    let (page, none) = match read {
        Ok(Ok(page)) => (page, l.pick("nothing is noted", "没有记录")),
        Ok(Err(_)) | Err(_) => {
            (crate::audit::Page::default(), l.pick("the audit log can't be read now", "审计日志暂时无法读取"))
        }
    };
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
        none,
        columns: vec![
            Column::words("at", l.pick("Time", "时间")),
            Column::words("about", l.pick("About", "对象")),
            Column::words("what", l.pick("What happened", "事件")),
        ],
        rows: page.entries.into_iter().enumerate().map(row).collect(),
    }
}
