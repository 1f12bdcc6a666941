# Paused for the meeting: one SMS at its end
At: the simulator, node, twisted

Anna is 8613800000001
Ben is 8613911110002
Carl is 8613911110003

Anna is a subscriber
Anna texts: pause 8
Anna's phone shows:
  "Missed calls are held until {in 8 hours}, then told in one message. Reply RESUME to end this."

Ben calls Anna at 09:00, busy
Carl calls Anna at 09:10, busy
Ben calls Anna at 09:20, busy
Anna's phone shows nothing new

Anna texts: RESUME
Anna's phone shows:
  "Missed calls are no longer held."
  "3 missed calls:
   +8613911110002 (2) {today} 09:20
   +8613911110003 {today} 09:10"
