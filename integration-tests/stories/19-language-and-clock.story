# Another language, and a clock of twelve hours
At: the simulator, node, twisted

Anna is 8613800000001
Carl is 8613800000002
Ben is 8613911110002

Anna is a subscriber: language zh-CN
Carl is a subscriber: time zone Europe/Copenhagen, clock 12
Ben calls Anna at 16:05, busy
Anna's phone shows:
  "您有1个未接来电：
   +8613911110002 {昨天} 16:05"

Anna texts: LANG EN
Anna's phone shows:
  "Messages to you are in English now."
Ben calls Anna at 16:10, busy
Anna's phone shows:
  "1 missed call:
   +8613911110002 {yesterday} 16:10"

# Seven hours behind Shanghai, in winter.
Ben calls Carl at 23:30, busy
Carl's phone shows:
  "1 missed call:
   +8613911110002 {yesterday} 4:30 PM"
