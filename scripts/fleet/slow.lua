-- For a fault: passes a request on half a second later, in milliseconds.
core.register_action("slow", { "http-req" }, function() core.msleep(500) end)
