//! The screen: draws pictures as they come, and follows keys.

use std::io;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use ratatui::backend::Backend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row, Table as Widget};
use ratatui::{DefaultTerminal, Frame, Terminal};

use super::picture::{Picture, Sort, Table};
use super::{Look, Sample, looks_within};

/// How long a key may wait to be looked at.
const KEYS: Duration = Duration::from_millis(50);

/// After how long the newest sample is called stale.
const STALE: Duration = Duration::from_secs(3);

/// What is on the screen, and why.
struct Shown {
    newest: Option<Sample>,
    before: Option<Sample>,
    /// Why the last look gave nothing.
    trouble: Option<String>,
    sort: Sort,
    paused: bool,
}

/// Shows until a key ends it.
pub(super) fn show(display: &mut DefaultTerminal, seen: &Receiver<Look>) -> io::Result<()> {
    let mut shown = Shown { newest: None, before: None, trouble: None, sort: Sort::AsSet, paused: false };
    loop {
        draw(display, &shown)?;
        let Some(looks) = looks_within(seen, KEYS) else { return Ok(()) };
        looks.into_iter().for_each(|look| shown.take(look));
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()?
                && shown.ends_by(key)
            {
                return Ok(());
            }
        }
    }
}

fn draw<B: Backend<Error = io::Error>>(display: &mut Terminal<B>, shown: &Shown) -> io::Result<()> {
    display.draw(|frame| shown.draw(frame)).map(drop)
}

impl Shown {
    fn take(&mut self, look: Look) {
        match look {
            Ok(_) if self.paused => {}
            Ok(sample) => {
                self.trouble = None;
                self.before = self.newest.replace(sample);
            }
            Err(why) => self.trouble = Some(why),
        }
    }

    /// Follows a key; whether it was the last.
    fn ends_by(&mut self, key: KeyEvent) -> bool {
        if key.kind == KeyEventKind::Release {
            return false;
        }
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return true,
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            _ => {}
        }
        false
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let Some(newest) = &self.newest else {
            let why = self.trouble.as_deref().unwrap_or("asking the gateway");
            frame.render_widget(Paragraph::new(format!("{why}\n\nq ends")), frame.area());
            return;
        };
        let picture = Picture::of(newest, self.before.as_ref(), self.sort);
        let rows = |table: &Table| u16::try_from(table.rows.len() + 2).unwrap_or(u16::MAX);
        let [head, flow, links, ranges, foot] = Layout::vertical([
            Constraint::Length(2),
            Constraint::Length(rows(&picture.flow)),
            Constraint::Length(rows(&picture.links)),
            Constraint::Fill(1),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let plain = Style::new();
        let alarm = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        let style = if picture.database_well { plain } else { alarm };
        frame.render_widget(Paragraph::new(Line::styled(picture.database.clone(), style)), head);
        frame.render_widget(widget(&picture.flow, |_| plain, [12, 9, 10, 12, 8, 25, 8]), flow);
        let of_link = |row: usize| if picture.away.get(row) == Some(&true) { alarm } else { plain };
        frame.render_widget(widget(&picture.links, of_link, [22, 11, 9, 11, 8, 9, 60]), links);
        frame.render_widget(widget(&picture.ranges, |_| plain, [22, 10, 10, 6, 14]), ranges);
        let (text, is_stale) = self.foot(Instant::now());
        frame.render_widget(Paragraph::new(Line::styled(text, if is_stale { alarm } else { plain })), foot);
    }

    /// The last line, and whether what is shown is old.
    fn foot(&self, now: Instant) -> (String, bool) {
        let age = self.newest.as_ref().map(|sample| now.saturating_duration_since(sample.at)).unwrap_or_default();
        let keys = format!("q ends  p pauses  s sorts: {}", self.sort.as_str());
        match &self.trouble {
            Some(why) => (format!("stale, {} s old: {why}  {keys}", age.as_secs()), true),
            None if self.paused => (format!("paused, {} s old  {keys}", age.as_secs()), false),
            // An interval may be longer than that: then its end is not late.
            None if age > STALE => (format!("{} s old  {keys}", age.as_secs()), false),
            None => (keys, false),
        }
    }
}

fn widget<const COLUMNS: usize>(
    table: &Table,
    style: impl Fn(usize) -> Style,
    widths: [u16; COLUMNS],
) -> Widget<'static> {
    let heads = Row::new(table.heads.clone()).style(Style::new().add_modifier(Modifier::UNDERLINED));
    let row = |(place, row): (usize, &Vec<String>)| Row::new(row.clone()).style(style(place));
    Widget::new(table.rows.iter().enumerate().map(row), widths.map(Constraint::Max)).header(heads)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use ratatui::backend::TestBackend;

    use super::super::picture::tests::sample;
    use super::*;

    fn screen(shown: &Shown) -> Result<String, Infallible> {
        let mut display = Terminal::new(TestBackend::new(140, 30))?;
        display.draw(|frame| shown.draw(frame))?;
        Ok(display.backend().to_string())
    }

    fn key(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    #[test]
    fn the_screen_shows_the_picture_goes_stale_and_resumes() {
        let mut shown = Shown { newest: None, before: None, trouble: None, sort: Sort::AsSet, paused: false };
        assert!(screen(&shown).unwrap().contains("asking the gateway"));
        let now = Instant::now();
        shown.take(Ok(sample(now, 50)));
        shown.take(Ok(sample(now + Duration::from_secs(1), 100)));
        let text = screen(&shown).unwrap();
        for part in
            ["database: normal", "calls", "12.3", "STUCK", "50.0", "north/1", "drain by order until", "25%", "q ends"]
        {
            assert!(text.contains(part), "{part}\n{text}");
        }
        shown.take(Err("no answer from http://127.0.0.1:8080".into()));
        let text = screen(&shown).unwrap();
        assert!(text.contains("stale, ") && text.contains("no answer") && text.contains("north/1"), "{text}");
        shown.take(Ok(sample(now + Duration::from_secs(2), 100)));
        assert!(!screen(&shown).unwrap().contains("stale"));
    }

    #[test]
    fn keys_pause_sort_and_end() {
        let mut shown = Shown { newest: None, before: None, trouble: None, sort: Sort::AsSet, paused: false };
        assert!(!shown.ends_by(key(KeyCode::Char('p'), KeyModifiers::NONE)));
        shown.take(Ok(sample(Instant::now(), 1)));
        assert!(shown.newest.is_none(), "paused");
        assert!(!shown.ends_by(key(KeyCode::Char('s'), KeyModifiers::NONE)));
        assert_eq!(shown.sort, Sort::Rate);
        assert!(!shown.ends_by(key(KeyCode::Char('c'), KeyModifiers::NONE)));
        assert!(shown.ends_by(key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(shown.ends_by(key(KeyCode::Char('q'), KeyModifiers::NONE)));
    }
}
