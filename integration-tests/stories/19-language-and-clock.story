# Another language, and a clock of twelve hours
At: the simulator, node, twisted

Anna is 8613800000001
Carl is 8613800000002
Ben is 8613911110002

Anna is a subscriber: language zh-CN
Carl is a subscriber: time zone {two hours east}, clock 12
Ben calls Anna at 10:05, busy
Anna's phone shows:
  "您有1个未接来电：
   +8613911110002 {今天} 10:05"

Anna texts: LANG EN
Anna's phone shows:
  "Messages to you are in English now."
Ben calls Anna at 10:10, busy
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 10:10"

# Where Carl is it is two hours later.
Ben calls Carl at 10:30, busy
Carl's phone shows:
  "1 missed call:
   +8613911110002 {today} 12:30 pm"
