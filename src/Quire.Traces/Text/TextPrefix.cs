using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire.Traces;

/// <summary>The ways in which a line of an event begins.</summary>
internal enum TextStyle : byte
{
    /// <summary><c>comm-pid [cpu] flags secs.usecs:</c>: of the kernel and of trace-cmd.</summary>
    Ftrace,

    /// <summary><c>comm pid [cpu] secs.usecs:</c></summary>
    Perf,

    /// <summary><c>comm-pid cpuflags time:</c>: the latency format, of the kernel (µs) and of trace-cmd.</summary>
    Latency,

    /// <summary>The latency format with the option <c>verbose</c>.</summary>
    Verbose,
}

/// <summary>What stands before the event's name: who, where, when. Places count from the line's start.</summary>
[StructLayout(LayoutKind.Auto)]
internal unsafe partial struct TextPrefix
{
    /// <summary>The width of a task's name in the formats that pad it; a name has 15 characters at most.</summary>
    private const int CommWidth = 16;

    /// <summary>No prefix is longer, with a tgid, an instance and a log's prefix.</summary>
    private const int MaximumLength = 192;

    internal TextStyle Style;
    internal int CommStart;
    internal int CommLength;

    /// <summary>Bytes before the task's name that name a file or an instance (<c>name:</c>), without the colon; 0 where there is none.</summary>
    internal int InstanceLength;

    internal int Pid;
    internal int Cpu;

    /// <summary>ns; of a clock that counts something else, its ticks.</summary>
    internal long Time;

    /// <summary>Digits behind the point; 0: a whole number of µs (latency format), -1: ticks.</summary>
    internal int TimeDigits;

    /// <summary>The characters for interrupts, rescheduling and preemption, from the lowest byte on; 0 where there are none.</summary>
    internal ulong Flags;

    /// <summary>Where the event's name begins.</summary>
    internal int Rest;

    /// <summary>Whether it happened in a task, a soft interrupt, a hard one or above; 0 where the line does not say.</summary>
    internal readonly byte Level => (byte)(Flags >> 16);

    /// <summary>Reads the prefix of a line, in the way that worked last first; false where it has none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static bool TryParse(byte* line, int length, TextStyle likely, out TextPrefix prefix)
    {
        prefix = default;
        if (likely == TextStyle.Latency && TryLatency(line, length, ref prefix))
        {
            return true;
        }

        return TryBracket(line, length, ref prefix)
            || (likely != TextStyle.Latency && TryLatency(line, length, ref prefix));
    }

    /// <summary>The bracket around the CPU's number is the landmark: what is before it is read backwards, since names may have spaces, dashes and brackets.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool TryBracket(byte* line, int length, ref TextPrefix prefix)
    {
        int limit = Math.Min(length, MaximumLength);
        for (int from = 0; from < limit;)
        {
            int found = new ReadOnlySpan<byte>(line + from, limit - from).IndexOf((byte)'[');
            if (found < 0)
            {
                return false;
            }

            int bracket = from + found;
            from = bracket + 1;
            int at = from;
            if (TextBytes.TryDecimal(line, ref at, length, out long cpu) && at < length && line[at] == ']' && cpu <= ushort.MaxValue
                && TryTask(line, bracket, ref prefix) && TryTime(line, at + 1, length, ref prefix))
            {
                prefix.Cpu = (int)cpu;
                return true;
            }

            if (prefix.Style != TextStyle.Verbose && TryVerbose(line, bracket, length, ref prefix))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Backwards from the CPU: <c>comm-pid (tgid) </c>, <c>comm pid </c> or <c>comm pid/tid </c>.</summary>
    private static bool TryTask(byte* line, int end, ref TextPrefix prefix)
    {
        int at = SkipBack(line, end);
        if (at == end || at == 0)
        {
            return false;
        }

        if (line[at - 1] == ')')
        {
            // The number of the thread's process: "(   123)", "(-----)".
            at--;
            while (at > 0 && (TextBytes.IsDigit(line[at - 1]) || line[at - 1] is (byte)' ' or (byte)'-'))
            {
                at--;
            }

            if (at == 0 || line[at - 1] != '(')
            {
                return false;
            }

            at = SkipBack(line, at - 1);
        }

        int digits = at;
        while (at > 0 && TextBytes.IsDigit(line[at - 1]))
        {
            at--;
        }

        int start = at;
        if (at == digits || at == 0 || !TextBytes.TryDecimal(line, ref start, digits, out long pid) || pid > int.MaxValue)
        {
            return false;
        }

        prefix.Pid = (int)pid;
        byte before = line[at - 1];
        if (before == '-' && at >= 2 && line[at - 2] == ' ' && IsUnknownOfPerf(line, at - 2))
        {
            // perf's ":-1 -1": a thread it never heard of.
            prefix.Style = TextStyle.Perf;
            prefix.Pid = -1;
            at -= 2;
        }
        else if (before == '-')
        {
            prefix.Style = TextStyle.Ftrace;
            at--;
        }
        else if (before == '/')
        {
            at--;
            digits = at;
            while (at > 0 && TextBytes.IsDigit(line[at - 1]))
            {
                at--;
            }

            if (at == digits || at == 0 || !TextBytes.IsSpace(line[at - 1]))
            {
                return false;
            }

            prefix.Style = TextStyle.Perf;
        }
        else if (TextBytes.IsSpace(before))
        {
            prefix.Style = TextStyle.Perf;
        }
        else
        {
            return false;
        }

        return TryComm(line, prefix.Style == TextStyle.Perf ? SkipBack(line, at) : at, ref prefix);
    }

    private static bool IsUnknownOfPerf(byte* line, int end)
    {
        end = SkipBack(line, end);
        return end >= 3 && line[end - 3] == ':' && line[end - 2] == '-' && line[end - 1] == '1';
    }

    /// <summary>The task's name ends here; it takes 16 columns where it is padded, and what is before those is something else.</summary>
    private static bool TryComm(byte* line, int end, ref TextPrefix prefix)
    {
        int start = Math.Max(0, end - CommWidth);
        int before = start;
        while (start < end && TextBytes.IsSpace(line[start]))
        {
            start++;
        }

        prefix.CommStart = start;
        prefix.CommLength = end - start;
        prefix.InstanceLength = 0;
        before = SkipBack(line, before);
        if (before > 1 && line[before - 1] == ':' && !TextBytes.IsSpace(line[0]) && new ReadOnlySpan<byte>(line, before).IndexOf((byte)' ') < 0)
        {
            prefix.InstanceLength = before - 1;
        }

        return end > start;
    }

    /// <summary>Forwards from the CPU: flags or none, the time, a colon.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryTime(byte* line, int at, int end, ref TextPrefix prefix)
    {
        at = TextBytes.SkipSpaces(line, at, end);
        prefix.Flags = 0;
        if (at < end && line[at] == '(')
        {
            // Kernels 4.13 and 4.14 have the process behind the CPU.
            int close = TextBytes.IndexOf(line, at, Math.Min(end, at + 16), ")"u8);
            at = close < 0 ? at : TextBytes.SkipSpaces(line, close + 1, end);
        }

        if (TryTimeAlone(line, at, end, ref prefix))
        {
            return true;
        }

        // Flags: four characters, five since 5.16, up to eight with the patches for real time.
        int start = at;
        while (at < end && at - start <= 8 && !TextBytes.IsSpace(line[at]))
        {
            at++;
        }

        if (at - start is < 3 or > 8)
        {
            return false;
        }

        for (int flag = start; flag < at; flag++)
        {
            prefix.Flags |= (ulong)line[flag] << ((flag - start) * 8);
        }

        return TryTimeAlone(line, TextBytes.SkipSpaces(line, at, end), end, ref prefix);
    }

    /// <summary><c>secs.fraction:</c> or <c>ticks:</c>; of trace-cmd, the difference to the time before may follow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryTimeAlone(byte* line, int at, int end, ref TextPrefix prefix)
    {
        if (!TextBytes.TryDecimal(line, ref at, end, out long whole) || at >= end)
        {
            return false;
        }

        if (line[at] == '.')
        {
            int fraction = ++at;
            if (whole > long.MaxValue / 1_000_000_000 - 1 || !TextBytes.TryDecimal(line, ref at, end, out long part) || at - fraction > 9)
            {
                return false;
            }

            prefix.TimeDigits = at - fraction;
            for (int digits = prefix.TimeDigits; digits < 9; digits++)
            {
                part *= 10;
            }

            prefix.Time = (whole * 1_000_000_000) + part;
        }
        else
        {
            prefix.TimeDigits = -1;
            prefix.Time = whole;
        }

        if (at >= end || line[at] != ':' || (at + 1 < end && !TextBytes.IsSpace(line[at + 1])))
        {
            return false;
        }

        at = TextBytes.SkipSpaces(line, at + 1, end);
        if (at + 1 < end && line[at] == '(' && line[at + 1] is (byte)'+' or (byte)'-')
        {
            int close = TextBytes.IndexOf(line, at, Math.Min(end, at + 24), ")"u8);
            at = close < 0 ? at : TextBytes.SkipSpaces(line, close + 1, end);
        }

        prefix.Rest = at;
        return true;
    }

    private static int SkipBack(byte* line, int at)
    {
        while (at > 0 && TextBytes.IsSpace(line[at - 1]))
        {
            at--;
        }

        return at;
    }
}
