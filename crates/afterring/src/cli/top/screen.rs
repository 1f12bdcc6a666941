//! The screen: draws pictures as they come, and follows keys.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use ratatui::backend::Backend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};
use ratatui::{DefaultTerminal, Frame, Terminal};

use super::picture::{Picture, Sort};
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
    /// How many lines have gone up and out of sight.
    gone: usize,
}

/// Shows until a key ends it, or `ended` says so.
pub(super) fn show(display: &mut DefaultTerminal, seen: &Receiver<Look>, ended: &AtomicBool) -> io::Result<()> {
    let mut shown = Shown::new();
    while !ended.load(Ordering::Relaxed) {
        draw(display, &mut shown)?;
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
    Ok(())
}

fn draw<B: Backend<Error = io::Error>>(display: &mut Terminal<B>, shown: &mut Shown) -> io::Result<()> {
    display.draw(|frame| shown.draw(frame)).map(drop)
}

impl Shown {
    const fn new() -> Self {
        Self { newest: None, before: None, trouble: None, sort: Sort::AsSet, paused: false, gone: 0 }
    }

    fn take(&mut self, look: Look) {
        match look {
            Ok(sample) => {
                self.trouble = None;
                if !self.paused {
                    self.before = self.newest.replace(sample);
                }
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
            KeyCode::Down => self.gone = self.gone.saturating_add(1),
            KeyCode::Up => self.gone = self.gone.saturating_sub(1),
            _ => {}
        }
        false
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let Some(newest) = &self.newest else {
            let why = self.trouble.as_deref().unwrap_or("asking the gateway");
            let said = Paragraph::new(format!("{why}\n\nq ends")).wrap(Wrap { trim: true });
            frame.render_widget(said, frame.area());
            return;
        };
        let alarm = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        let styled = |(line, is_alarm)| Line::styled(line, if is_alarm { alarm } else { Style::new() });
        let [body, foot] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(frame.area());
        let lines = Picture::of(newest, self.before.as_ref(), self.sort).lines(usize::from(body.width));
        let below = lines.len().saturating_sub(usize::from(body.height));
        self.gone = self.gone.min(below);
        let lines: Vec<Line<'_>> = lines.into_iter().skip(self.gone).map(styled).collect();
        frame.render_widget(Paragraph::new(lines), body);
        let (mut text, is_stale) = self.foot(Instant::now());
        if below > 0 {
            text = format!("↑↓ {} more  {text}", below - self.gone);
        }
        frame.render_widget(Paragraph::new(styled((text, is_stale))), foot);
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use ratatui::backend::TestBackend;

    use super::super::picture::tests::sample;
    use super::*;

    fn screen(shown: &mut Shown) -> Result<String, Infallible> {
        screen_of(140, 30, shown)
    }

    fn screen_of(width: u16, height: u16, shown: &mut Shown) -> Result<String, Infallible> {
        let mut display = Terminal::new(TestBackend::new(width, height))?;
        display.draw(|frame| shown.draw(frame))?;
        Ok(display.backend().to_string())
    }

    fn key(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    #[test]
    fn the_screen_shows_the_picture_goes_stale_and_resumes() {
        let mut shown = Shown::new();
        assert!(screen(&mut shown).unwrap().contains("asking the gateway"));
        let now = Instant::now();
        shown.take(Ok(sample(now, 50)));
        shown.take(Ok(sample(now + Duration::from_secs(1), 100)));
        let text = screen(&mut shown).unwrap();
        for part in
            ["database: normal", "calls", "12.3", "STUCK", "50.0", "north/1", "drain by order until", "25%", "q ends"]
        {
            assert!(text.contains(part), "{part}\n{text}");
        }
        shown.take(Err("no answer from http://127.0.0.1:8080".into()));
        let text = screen(&mut shown).unwrap();
        assert!(text.contains("stale, ") && text.contains("no answer") && text.contains("north/1"), "{text}");
        shown.take(Ok(sample(now + Duration::from_secs(2), 100)));
        assert!(!screen(&mut shown).unwrap().contains("stale"));
    }

    #[test]
    fn what_has_no_room_is_reached_by_keys() {
        let mut shown = Shown::new();
        shown.take(Ok(sample(Instant::now(), 50)));
        let text = screen_of(40, 8, &mut shown).unwrap();
        assert!(text.contains("database") && !text.contains("south/1") && text.contains("↑↓ 7 more"), "{text}");
        for _ in 0..100 {
            assert!(!shown.ends_by(key(KeyCode::Down, KeyModifiers::NONE)));
        }
        let text = screen_of(40, 8, &mut shown).unwrap();
        assert!(!text.contains("database") && text.contains("25%") && text.contains("↑↓ 0 more"), "{text}");
        assert!(!shown.ends_by(key(KeyCode::Up, KeyModifiers::NONE)));
        assert!(screen_of(40, 8, &mut shown).unwrap().contains("↑↓ 1 more"));
    }

    #[test]
    fn keys_pause_sort_and_end() {
        let mut shown = Shown::new();
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
