# Callers hear when a phone is on again: those on our network, and only if its owner lets them
At: the simulator, node, twisted

Setting: NOTIFY__ENABLED = true
Setting: NOTIFY__USUAL = on
Setting: NOTIFY__ON_NET = 86138*;86139*
Setting: ALERT__UPDATE = new
Anna is 8613800000001
Hugo is 8613800000002
Ben is 8613911110002
Otto is 8615011110003

Anna is a subscriber
Hugo is a subscriber
Hugo texts: HIDE
Hugo's phone shows:
  "Callers are no longer told when you can be reached again. Reply SHOW to change this."

Anna's phone is off
Hugo's phone is off
Ben calls Anna at 09:00, unreachable
Otto calls Anna at 09:10, unreachable
Ben calls Hugo at 09:20, unreachable

Anna's phone is on
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:00"
  "1 missed call:
   +8615011110003 {today} 09:10"

# Ben may know; Otto is of another network.
Ben's phone shows:
  "+8613800000001 can be reached again since {now}. You may try calling again now."
Otto's phone shows nothing new

# Hugo doesn't want it.
Hugo's phone is on
Hugo's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:20"
Ben's phone shows nothing new
