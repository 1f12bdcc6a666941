# Two campaigns take turns: two of summer's for each one of autumn's
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000
Setting: CAMPAIGNS = summer:2;autumn:1
Text: en.toml: teaser_one = "1 missed call, {time}. {campaign} Reply {fetch} to see who called, {refuse} to get no more of these."
Text: campaigns/summer/en.toml: campaign = "Free all summer."
Text: campaigns/autumn/en.toml: campaign = "Half price in autumn."
Paul is 8613700000001
Petra is 8613700000002
Pia is 8613700000003
Ben is 8613911110002

Ben calls Paul at 09:00, busy
Ben calls Petra at 09:01, busy
Ben calls Pia at 09:02, busy
Paul's phone shows:
  "1 missed call, {today} 09:00. Free all summer. Reply C to see who called, R to get no more of these."
Petra's phone shows:
  "1 missed call, {today} 09:01. Half price in autumn. Reply C to see who called, R to get no more of these."
Pia's phone shows:
  "1 missed call, {today} 09:02. Free all summer. Reply C to see who called, R to get no more of these."
