/// The scripts of a stream. `KEYS[1]` is the stream wherever there is one.
extension EventStream {
    /// The latest sequence of the stream: in Lua, a local function.
    private static let latest = """
        local function latest(info)
            for i = 1, #info, 2 do
                if info[i] == 'last-generated-id' then return string.match(info[i + 1], '^%d+') end
            end
        end

        """

    /// `KEYS[2]` says whose life it is of, `KEYS[3]` are the dead; floor, issued, bell, life; then consumer and
    /// position, for each.
    static let open =
        latest + """
            local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
            local life = redis.call('GET', KEYS[2])
            local isOther = life and life ~= ARGV[4]
            if isOther or not info.err and tonumber(latest(info)) > tonumber(ARGV[2]) then
                redis.call('DEL', KEYS[1], KEYS[3])
                info = { err = 'it was of another life' }
            end
            redis.call('SET', KEYS[2], ARGV[4])
            local groups = {}
            if not info.err then
                for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do groups[group[2]] = true end
            end
            for i = 5, #ARGV, 2 do
                if not groups[ARGV[i]] then
                    redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[i], ARGV[i + 1] .. '-0', 'MKSTREAM')
                end
            end
            local last = latest(redis.call('XINFO', 'STREAM', KEYS[1]))
            if tonumber(last) < tonumber(ARGV[1]) then
                redis.call('XSETID', KEYS[1], ARGV[1] .. '-0')
                last = ARGV[1]
            end
            redis.call('PUBLISH', ARGV[3], '')
            return last
            """

    /// Latest, bell, longest; then sequence and fields, for each.
    static let append =
        latest + """
            local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
            if info.err then return '-1' end
            local last = latest(info)
            if last ~= ARGV[1] then return last end
            if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[3]) then return '-2' end
            for i = 4, #ARGV, \(1 + EventFields.count) do
                redis.call('XADD', KEYS[1], ARGV[i] .. '-0', \(fields(from: "i + 1")))
            end
            redis.call('PUBLISH', ARGV[2], '')
            return last
            """

    /// `'id', ARGV[i + 1 + 0], 'type', ARGV[i + 1 + 1], …`
    private static func fields(from start: String) -> String {
        EventFields.names.enumerated().map { "'\($1)', ARGV[\(start) + \($0)]" }.joined(separator: ", ")
    }

    /// `KEYS[2]` are the dead; how many of them at the most.
    static let standing =
        latest + """
            local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
            if info.err then return false end
            local positions = {}
            for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
                local values = {}
                for i = 1, #group, 2 do values[group[i]] = group[i + 1] end
                local pending = redis.call('XPENDING', KEYS[1], values['name'])
                if pending[1] > 0 then
                    positions[#positions + 1] = { values['name'], pending[2], 1 }
                else
                    positions[#positions + 1] = { values['name'], values['last-delivered-id'], 0 }
                end
            end
            return { latest(info), positions, redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ARGV[1]) }
            """

    /// `KEYS[2]` is the holder; consumer, process, lease, count. The group has one member, whichever process it is: its
    /// pending entries are what the process before has left.
    static let read = """
        local holder = redis.call('GET', KEYS[2])
        if holder and holder ~= ARGV[2] then return {} end
        local function read(from, count)
            local answer = redis.pcall(
                'XREADGROUP', 'GROUP', ARGV[1], 'feed', 'COUNT', count, 'STREAMS', KEYS[1], from)
            if not answer then return {} end
            if answer.err then return answer end
            return answer[1][2]
        end
        local count = tonumber(ARGV[4])
        local entries = read('0', count)
        if entries.err then
            if string.find(entries.err, 'NOGROUP', 1, true) then return {} end
            return entries
        end
        if #entries < count then
            local new = read('>', count - #entries)
            if new.err then return new end
            for _, entry in ipairs(new) do entries[#entries + 1] = entry end
        end
        redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
        return entries
        """

    /// `KEYS[2]` is the holder, `KEYS[3]` the dead; consumer, process, lease, how many have died; reason, time and
    /// fields of each; then ids.
    static let finish = """
        local first = 5
        for _ = 1, tonumber(ARGV[4]) do
            redis.call(
                'XADD', KEYS[3], '*', 'reason', ARGV[first], 'died', ARGV[first + 1], \(fields(from: "first + 2")))
            first = first + \(2 + EventFields.count)
        end
        for i = first, #ARGV, 1000 do
            redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, i, math.min(i + 999, #ARGV)))
        end
        local holder = redis.call('GET', KEYS[2])
        if holder and holder ~= ARGV[2] then return 0 end
        redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
        return 1
        """

    /// `KEYS[1]` is the holder; process, lease.
    static let renew = """
        if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
        """

    /// `KEYS[1]` is the holder; process, bell.
    static let release = """
        if redis.call('GET', KEYS[1]) == ARGV[1] then
            redis.call('DEL', KEYS[1])
            redis.call('PUBLISH', ARGV[2], '')
        end
        """
}
