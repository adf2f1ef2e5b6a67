namespace Quire.Traces;

/// <content>Lines that are neither events nor stacks: heads, losses, and what may have been an event before somebody cut it.</content>
internal sealed unsafe partial class TextTraceInput
{
    /// <summary>Whether a line has what only the trace's own lines have: it was one, and is cut or changed.</summary>
    private static bool IsOfTrace(byte* line, int length)
    {
        int words = 0;
        for (int at = 1; at + 1 < length; at++)
        {
            byte c = line[at];
            if (c == '=' && TextBytes.IsName(line[at - 1]) && !TextBytes.IsSpace(line[at + 1]) && line[at + 1] != '=')
            {
                words++;
            }
            else if (c == '[' && at + 4 < length && TextBytes.IsDigit(line[at + 1]) && TextBytes.IsDigit(line[at + 2]) && TextBytes.IsDigit(line[at + 3]) && line[at + 4] == ']')
            {
                return true;
            }
            else if (c == ':' && at > 8 && TextBytes.IsSpace(line[at + 1]) && IsTimeBefore(line, at))
            {
                return true;
            }
        }

        return words >= 2 || IsTask(line, length);
    }

    /// <summary>Whether a line ends as the begin of an event's line does: with a task and perhaps a CPU, flags or time.</summary>
    private static bool IsTask(byte* line, int length)
    {
        // "   comm-123", at the width the kernel gives it.
        int at = 0;
        while (at < length && TextBytes.IsSpace(line[at]))
        {
            at++;
        }

        int dash = TextBytes.IndexOf(line, at, Math.Min(length, at + 17), "-"u8);
        int digits = dash + 1;
        return dash > at && TextBytes.TryDecimal(line, ref digits, length, out _) && (digits == length || TextBytes.IsSpace(line[digits]))
            && (digits == length || TextBytes.SkipSpaces(line, digits, length) is int next && (next == length || line[next] is (byte)'[' or (byte)'(' || TextBytes.IsDigit(line[next])));
    }

    /// <summary>Six or nine digits behind a point: the time before an event's name.</summary>
    private static bool IsTimeBefore(byte* line, int colon)
    {
        int at = colon;
        while (at > 0 && TextBytes.IsDigit(line[at - 1]))
        {
            at--;
        }

        return colon - at is 6 or 9 && at > 1 && line[at - 1] == '.' && TextBytes.IsDigit(line[at - 2]);
    }

    private static bool IsCpus(byte* line, int start, int length)
    {
        // Of each file or instance that trace-cmd reports.
        int at = TextBytes.IndexOf(line, start, length, "cpus="u8);
        if (at < 0 || (at > start && !(at >= start + 2 && line[at - 1] == ' ' && line[at - 2] == ':')))
        {
            return TextBytes.StartsWith(line, start, length, "version = "u8);
        }

        at += 5;
        return TextBytes.TryDecimal(line, ref at, length, out _) && TextBytes.TrimEnd(line, at, length) == at;
    }

    /// <summary><c>CPU:1 [LOST 46 EVENTS]</c>, <c>CPU:1 [LOST EVENTS]</c>, <c>CPU:1 [46 EVENTS DROPPED]</c>, <c>CPU:1 [EVENTS DROPPED]</c>.</summary>
    private bool TryLoss(byte* line, int start, int length)
    {
        int at = TextBytes.IndexOf(line, start, Math.Min(length, start + 64), "CPU:"u8);
        if (at < 0 || (at > start && !TextBytes.IsSpace(line[at - 1])))
        {
            return false;
        }

        string instance = at > start + 2 && line[at - 2] == ':' ? _texts.Of(new ReadOnlySpan<byte>(line + start, at - start - 2)) : "";
        at += 4;
        if (!TextBytes.TryDecimal(line, ref at, length, out long number) || number > ushort.MaxValue)
        {
            return false;
        }

        at = TextBytes.SkipSpaces(line, at, length);
        int end = at < length && line[at] == '[' ? TextBytes.IndexOf(line, at, length, "]"u8) : -1;
        if (end < 0 || (TextBytes.IndexOf(line, at, end, "LOST"u8) < 0 && TextBytes.IndexOf(line, at, end, "DROPPED"u8) < 0))
        {
            return false;
        }

        while (at < end && !TextBytes.IsDigit(line[at]))
        {
            at++;
        }

        CloseOpen();
        DropFragment();
        EndStack();
        Lose(_cpus.Of(instance, (int)number), TextBytes.TryDecimal(line, ref at, end, out long lost) ? lost : -1);
        return true;
    }

    /// <summary>Events of a CPU were lost here: what stands before can't have its stack behind.</summary>
    private void Lose(TextCpu cpu, long lost)
    {
        if (lost < 0)
        {
            _counters.LostUnknown++;
        }
        else
        {
            _counters.Lost += lost;
        }

        cpu.CloseAll();
        cpu.Lost = lost < 0 || cpu.Lost < 0 ? -1 : cpu.Lost + lost;
    }

    /// <summary>The head of the kernel's text, or of perf's.</summary>
    private void TakeComment(byte* line, int start, int length)
    {
        EndStack();
        if (TextBytes.IndexOf(line, start, length, "entries-in-buffer/entries-written:"u8) is >= 0 and int entries)
        {
            TakeEntries(line, entries + 34, length);
            int cpus = TextBytes.IndexOf(line, entries, length, "#P:"u8) + 3;
            _headerCpus = cpus >= 3 && TextBytes.TryDecimal(line, ref cpus, length, out long count) && count < int.MaxValue ? (int)count : 0;
        }
        else if (TextBytes.IndexOf(line, start, length, "# latency: "u8) is >= 0 and int latency)
        {
            int mark = TextBytes.IndexOf(line, latency + 2, length, "#"u8);
            if (mark >= 0)
            {
                TakeEntries(line, mark + 1, length);
            }

            int cpus = TextBytes.IndexOf(line, latency, length, "#P:"u8) + 3;
            _headerCpus = cpus >= 3 && TextBytes.TryDecimal(line, ref cpus, length, out long count) && count < int.MaxValue ? (int)count : 0;
        }
        else if (TextBytes.IndexOf(line, start, length, "os release : "u8) is >= 0 and int release)
        {
            _uname ??= TextNames.StringOf(new ReadOnlySpan<byte>(line + release + 13, length - release - 13)).Trim();
        }
        else if (TextBytes.IndexOf(line, start, length, " latency trace v"u8) is >= 0 and int trace && TextBytes.IndexOf(line, trace, length, " on "u8) is >= 0 and int on)
        {
            _uname ??= TextNames.StringOf(new ReadOnlySpan<byte>(line + on + 4, length - on - 4)).Trim();
        }
        else if (TextBytes.StartsWith(line, start, length, "# tracer: "u8))
        {
            _tracer ??= TextNames.StringOf(new ReadOnlySpan<byte>(line + start + 10, length - start - 10)).Trim();
        }
    }

    /// <summary><c>in the buffer/written</c>: the difference was overwritten, and lies before the first event.</summary>
    private void TakeEntries(byte* line, int at, int length)
    {
        at = TextBytes.SkipSpaces(line, at, length);
        if (TextBytes.TryDecimal(line, ref at, length, out long kept) && at < length && line[at++] == '/' && TextBytes.TryDecimal(line, ref at, length, out long written) && written > kept)
        {
            _counters.Lost += written - kept;
            _headerLost = written - kept;
            foreach (TextCpu cpu in _cpus.Seen)
            {
                // Another trace begins, in the same text.
                cpu.CloseAll();
                cpu.IsSeen = false;
            }
        }
    }
}
