namespace Quire.Traces;

internal unsafe partial struct TextPrefix
{
    /// <summary><c>comm-pid  cpuflags   12us+: </c>: there are no brackets; the dash before the pid is the landmark.</summary>
    private static bool TryLatency(byte* line, int length, ref TextPrefix prefix)
    {
        int limit = Math.Min(length, MaximumLength);
        for (int dash = 1; dash < limit; dash++)
        {
            int found = new ReadOnlySpan<byte>(line + dash, limit - dash).IndexOf((byte)'-');
            if (found < 0)
            {
                return false;
            }

            dash += found;
            int at = dash + 1;
            if (!TextBytes.TryDecimal(line, ref at, length, out long pid) || pid > int.MaxValue || at >= length || !TextBytes.IsSpace(line[at]))
            {
                continue;
            }

            at = TextBytes.SkipSpaces(line, at, length);
            if (!TextBytes.TryDecimal(line, ref at, length, out long cpu) || cpu > ushort.MaxValue || !TryFlags(line, ref at, length, ref prefix)
                || !TryLatencyTime(line, TextBytes.SkipSpaces(line, at, length), length, ref prefix) || !TryComm(line, dash, ref prefix))
            {
                continue;
            }

            prefix.Style = TextStyle.Latency;
            prefix.Pid = (int)pid;
            prefix.Cpu = (int)cpu;
            return true;
        }

        return false;
    }

    /// <summary>The flags stand right behind the CPU's number; the first is never a digit.</summary>
    private static bool TryFlags(byte* line, ref int at, int end, ref TextPrefix prefix)
    {
        int start = at;
        prefix.Flags = 0;
        for (; at < end && !TextBytes.IsSpace(line[at]); at++)
        {
            if (at - start >= 8 || !(TextBytes.IsName(line[at]) || line[at] is (byte)'.' or (byte)'#'))
            {
                return false;
            }

            prefix.Flags |= (ulong)line[at] << ((at - start) * 8);
        }

        return at - start >= 3 && at < end;
    }

    /// <summary><c>12us+: </c> since the trace's begin, <c>12: </c> of a clock that counts no ns, or trace-cmd's <c>secs.usecs: </c>.</summary>
    private static bool TryLatencyTime(byte* line, int at, int end, ref TextPrefix prefix)
    {
        int start = at;
        if (!TextBytes.TryDecimal(line, ref at, end, out long whole) || !TextBytes.StartsWith(line, at, end, "us"u8))
        {
            return TryTimeAlone(line, start, end, ref prefix);
        }

        at += 2;

        // How long until the next event: one character, a space where it was short.
        at += at < end && line[at] is (byte)' ' or (byte)'+' or (byte)'!' or (byte)'#' or (byte)'*' or (byte)'@' or (byte)'$' ? 1 : 0;
        if (at >= end || line[at] != ':' || whole > long.MaxValue / 1000)
        {
            return false;
        }

        prefix.Time = whole * 1000;
        prefix.TimeDigits = 0;
        prefix.Rest = TextBytes.SkipSpaces(line, at + 1, end);
        return true;
    }

    /// <summary><c>comm pid cpu flags preempt index [time] 12.345ms (+0.012ms): </c>: the bracket is the time's.</summary>
    private static bool TryVerbose(byte* line, int bracket, int end, ref TextPrefix prefix)
    {
        int at = bracket + 1;
        if (!TextBytes.TryHex(line, ref at, end, out ulong time) || at - bracket is not (> 8 and <= 17) || at >= end || line[at] != ']' || time > long.MaxValue / 1000)
        {
            return false;
        }

        int plus = TextBytes.IndexOf(line, at, Math.Min(end, at + 64), "(+"u8);
        int close = plus < 0 ? -1 : TextBytes.IndexOf(line, plus, Math.Min(end, plus + 32), "): "u8);
        if (close < 0)
        {
            return false;
        }

        // Backwards: index, preemption count, flags, CPU, pid.
        Span<long> numbers = stackalloc long[5];
        int back = bracket;
        for (int number = 0; number < numbers.Length; number++)
        {
            int last = SkipBack(line, back);
            back = last;
            while (back > 0 && TextBytes.HexDigit(line[back - 1]) >= 0)
            {
                back--;
            }

            int from = back;
            bool isHex = number < 2;
            ulong hex = 0;
            long value = 0;
            if (back == 0 || !TextBytes.IsSpace(line[back - 1]) || !(isHex ? TextBytes.TryHex(line, ref from, last, out hex) : TextBytes.TryDecimal(line, ref from, last, out value)) || from != last)
            {
                return false;
            }

            numbers[number] = isHex ? (long)hex : value;
        }

        if (numbers[3] > ushort.MaxValue || numbers[4] > int.MaxValue || !TryComm(line, SkipBack(line, back), ref prefix))
        {
            return false;
        }

        bool isNs = TextBytes.IndexOf(line, at, plus, "ms"u8) >= 0;
        prefix.Style = TextStyle.Verbose;
        prefix.Pid = (int)numbers[4];
        prefix.Cpu = (int)numbers[3];
        prefix.Flags = 0;
        prefix.Time = (long)time * (isNs ? 1000 : 1);
        prefix.TimeDigits = isNs ? 6 : -1;
        prefix.Rest = TextBytes.SkipSpaces(line, close + 2, end);
        return true;
    }
}
