"""What a Redis does with a session in one step: the scripts, in Lua.

A session is a list of bodies, and their texts in blocks of some kilobytes: "first\\0text\\0…",
where `first` is the place in the list of the message of the first text. Looking through a block is
one string search, where a list of texts would be a thousand. The block that is being filled is a
string; a full one goes to the list of blocks and is only touched when a message is removed.

The hash `known` has the place of each message by its key, "place:block", and under names that no
key can have what else there is to know:

  \\0gen      a random name of this filling of the session; after a `clear` there is another
  \\0indexed  how many blocks, from the first, are described to the query engine: no others are,
            so that the engine knows all of them when it knows as many
  \\0until    when these descriptions vanish, for sessions with a time to live

A script is atomic, but nothing undoes what it wrote before it failed: each asks for everything
that might be of a wrong type first.
"""

from dataclasses import dataclass
from hashlib import sha1
from typing import Self


@dataclass(frozen=True)
class Script:
    """A script and the name under which a Redis that has seen it knows it."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Return a script."""
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


# KEYS: of the session. ARGV: ms to live or 0, bytes of a full block, a name for a new filling,
# how the names of descriptions begin; then key, body and text of each message.
# Returns the filling, how many blocks are full now, were full before, and are described.
APPEND = Script.of("""
local m, t, x, i = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ttl, full, described = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[4]
local count, blocks, size = redis.call('LLEN', m), redis.call('LLEN', x), redis.call('STRLEN', t)
local known = redis.call('HLEN', i)
if count == 0 and known + blocks + size > 0 then
  -- A server that is short of memory has thrown the messages away: the rest is of no use.
  redis.call('UNLINK', t, x, i)
  blocks, size = 0, 0
end
redis.call('HSETNX', i, '\\0gen', ARGV[3])
local indexed = tonumber(redis.call('HGET', i, '\\0indexed') or 0)
if indexed > blocks then
  -- It has thrown blocks away: what describes them must not be taken for what follows.
  redis.call('HSET', i, '\\0gen', ARGV[3], '\\0indexed', 0)
  indexed = 0
end
local before, bodies, texts = blocks, {}, {}
for n = 5, #ARGV, 3 do
  if redis.call('HSETNX', i, ARGV[n], count .. ':' .. blocks) == 1 then
    if size == 0 then
      texts[1] = count .. '\\0'
      size = #texts[1]
    end
    bodies[#bodies + 1] = ARGV[n + 1]
    texts[#texts + 1] = ARGV[n + 2]
    texts[#texts + 1] = '\\0'
    size = size + #ARGV[n + 2] + 1
    count = count + 1
    if size >= full then
      redis.call('RPUSH', x, (redis.call('GET', t) or '') .. table.concat(texts))
      redis.call('DEL', t)
      texts, size, blocks = {}, 0, blocks + 1
    end
    if #bodies == 1000 then  -- `unpack` has a limit of some thousands
      redis.call('RPUSH', m, unpack(bodies))
      bodies = {}
    end
  end
end
if #bodies > 0 then redis.call('RPUSH', m, unpack(bodies)) end
if #texts > 0 then redis.call('APPEND', t, table.concat(texts)) end
if ttl == 0 then
  -- Another writer has given the session its time: what is new must not outlive the rest.
  local left = redis.call('PTTL', i)
  for n = 1, left > 0 and 4 or 0 do redis.call('PEXPIRE', KEYS[n], left) end
else
  for n = 1, 4 do redis.call('PEXPIRE', KEYS[n], ttl) end
  if indexed > 0 then
    -- They live twice as long, so that they need not all be touched by every message.
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    if tonumber(redis.call('HGET', i, '\\0until') or 0) < now + ttl then
      local till = string.format('%.0f', now + 2 * ttl)
      redis.call('HSET', i, '\\0until', till)
      for k = 0, indexed - 1 do
        if k > indexed then
          redis.call('UNLINK', described .. k)
        elseif redis.call('PEXPIREAT', described .. k, till) == 0 then
          redis.call('HSET', i, '\\0indexed', k)  -- it is gone: describe from here again
          indexed = k
        end
      end
    end
  end
end
return {redis.call('HGET', i, '\\0gen'), blocks, before, indexed}
""")

# KEYS: of the session. ARGV: the filling or '*', the block to begin with or -1 for the one that is
# being filled, bytes to look through, messages to find, the search index or '', what describes a
# block with all words to it, how many blocks to ask it for at once; then the words.
# Returns the filling, how many blocks are full, are described, the block to go on with or -1 at
# the end of the session or if the filling is another, 1 if the index does not know what it should
# or 2 if it cannot be asked; then the bodies of the messages that hold all words, newest first.
LOOK = Script.of("""
local m, t, x, i = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local meta = redis.call('HMGET', i, '\\0gen', '\\0indexed')
local gen, full, indexed = meta[1] or '', redis.call('LLEN', x), tonumber(meta[2] or 0)
local found = {gen, full, indexed, -1, 0}
if ARGV[1] ~= '*' and ARGV[1] ~= gen then return found end
local k, budget, limit = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local index, described, page, word = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8]

local function holds_others(record)
  for w = 9, #ARGV do
    if not record:find(ARGV[w], 1, true) then return false end
  end
  return true
end

local function look(block)
  budget = budget - #block
  local start = (block:find('\\0', 1, true) or #block) + 1
  local hit = block:find(word, start, true)
  if not hit then return end
  local place, places = tonumber(block:sub(1, start - 2)), {}
  while hit do
    local stop = block:find('\\0', start, true)
    while stop < hit do
      start, place = stop + 1, place + 1
      stop = block:find('\\0', start, true)
    end
    if #ARGV == 8 or holds_others(block:sub(start, stop - 1)) then places[#places + 1] = place end
    start, place = stop + 1, place + 1
    hit = block:find(word, start, true)
  end
  for p = #places, 1, -1 do
    if limit == 0 then break end
    local body = redis.call('LINDEX', m, places[p])
    if body and body ~= '' then
      found[#found + 1] = body
      budget, limit = budget - #body, limit - 1
    end
  end
end

local function look_down_to(last)
  while k >= last and budget > 0 and limit > 0 do
    look(redis.call('LINDEX', x, k) or '')
    k = k - 1
  end
end

-- Whether the index knows all that is described, so that what it does not name need not be seen.
local function knows_all()
  local ours = '@s:{' .. gen .. '}'
  local answer = redis.pcall('FT.SEARCH', index, ours, 'NOCONTENT', 'LIMIT', 0, 0)
  if answer.err then
    found[5] = 2
  elseif answer[1] < indexed then
    found[5] = 1
  end
  return found[5] == 0
end

local function look_at_named()
  while k >= 0 and budget > 0 and limit > 0 do
    local range = k < indexed - 1 and string.format('@n:[-inf %d] ', k) or ''
    local question = string.format('@s:{%s} %s(%s)', gen, range, described)
    local named = redis.pcall(
      'FT.SEARCH', index, question, 'NOCONTENT', 'SORTBY', 'n', 'DESC', 'LIMIT', 0, page,
      'TIMEOUT', 0, 'DIALECT', 2
    )
    if named.err then
      found[5] = 2
      return
    end
    for n = 2, #named do
      local number = tonumber(named[n]:match('^.*:(%d+)$'))
      if number <= k then
        k = number
        if budget <= 0 or limit == 0 then return end
        look(redis.call('LINDEX', x, k) or '')
        k = k - 1
      end
    end
    if #named <= page then k = -1 end
  end
end

if k < 0 then
  look(redis.call('GET', t) or '')
  k = full - 1
end
if index ~= '' and indexed > 0 then
  look_down_to(indexed)
  if k >= 0 and budget > 0 and limit > 0 and knows_all() then look_at_named() end
end
if index == '' or indexed == 0 or found[5] > 0 then look_down_to(0) end
found[4] = k
return found
""")

# KEYS: of the session. ARGV: keys of messages.
REMOVE = Script.of("""
local m, t, x, i = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local full = redis.call('LLEN', x)

-- Returns a block with an empty text at a place; nothing if it is not there.
local function without(block, place)
  local start = (block:find('\\0', 1, true) or #block) + 1
  local first = tonumber(block:sub(1, start - 2))
  if not first or place < first then return nil end
  for _ = first, place - 1 do
    start = (block:find('\\0', start, true) or #block) + 1
  end
  local stop = block:find('\\0', start, true)
  return stop and block:sub(1, start - 1) .. block:sub(stop)
end

for n = 1, #ARGV do
  local place, number = string.match(redis.call('HGET', i, ARGV[n]) or '', '^(%d+):(%d+)$')
  if place and redis.call('LINDEX', m, place) then
    redis.call('LSET', m, place, '')
    number = tonumber(number)
    local block = number < full and redis.call('LINDEX', x, number) or redis.call('GET', t) or ''
    local left = without(block, tonumber(place))
    if left and number < full then redis.call('LSET', x, number, left) end
    if left and number >= full then redis.call('SET', t, left, 'KEEPTTL') end
  end
end
""")

# KEYS: of the session. ARGV: the filling to clear or '', how the names of descriptions begin.
CLEAR = Script.of("""
local meta = redis.call('HMGET', KEYS[4], '\\0gen', '\\0indexed')
if meta[1] and meta[1] ~= ARGV[1] then return end
local last = math.max(tonumber(meta[2] or 0), redis.call('LLEN', KEYS[3])) - 1
for k = 0, last do redis.call('UNLINK', ARGV[2] .. k) end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
""")

# KEYS: known. ARGV: the filling, how the names of descriptions begin, the number of a block; then
# its tags, and those of the blocks that follow. Returns 1 if it was the next one to describe.
DESCRIBE = Script.of("""
local i = KEYS[1]
local meta = redis.call('HMGET', i, '\\0gen', '\\0indexed', '\\0until')
local k, left, till = tonumber(ARGV[3]), redis.call('PTTL', i), meta[3]
if meta[1] ~= ARGV[1] or tonumber(meta[2] or 0) ~= k then return 0 end
if left > 0 and (k == 0 or not till) then
  local time = redis.call('TIME')
  till = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + 2 * left)
  redis.call('HSET', i, '\\0until', till)
end
for n = 4, #ARGV do
  local name = ARGV[2] .. k
  redis.call('UNLINK', name)  -- of an earlier filling, with another time to live
  redis.call('HSET', name, 's', ARGV[1], 'n', k, 'g', ARGV[n])
  if left > 0 then redis.call('PEXPIREAT', name, till) end
  k = k + 1
end
redis.call('HSET', i, '\\0indexed', k)
return 1
""")

# KEYS: known. ARGV: how the names of descriptions begin. Takes back what is described no more.
RECOUNT = Script.of("""
local indexed = tonumber(redis.call('HGET', KEYS[1], '\\0indexed') or 0)
for k = 0, indexed - 1 do
  if k > indexed then
    redis.call('UNLINK', ARGV[1] .. k)
  elseif redis.call('EXISTS', ARGV[1] .. k) == 0 then
    redis.call('HSET', KEYS[1], '\\0indexed', k)
    indexed = k
  end
end
""")
