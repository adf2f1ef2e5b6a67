namespace Quire.Traces;

/// <summary>
/// Turns a page's times into the trace's, in the order trace-cmd does: a guest's times into its host's (option TIME_SHIFT), cycles into ns (TSC2NSEC), and last a
/// fixed offset (DATE, OFFSET).
/// </summary>
internal sealed class DatClock
{
    private const uint Interpolate = 1;

    private Shift[][] _cpus = [];
    private bool _isInterpolated;

    /// <summary>Cycles to ns: multiply, then shift; 0 where times are ns.</summary>
    internal (uint Multiplier, int Shift) Cycles { get; set; }

    /// <summary>What one CPU's times go through; null where they are the trace's already.</summary>
    internal Func<ulong, long>? Of(int cpu)
    {
        Shift[] shifts = (uint)cpu < (uint)_cpus.Length ? _cpus[cpu] : [];
        return (shifts.Length > 0, Cycles.Multiplier != 0) switch
        {
            (false, false) => null,
            (false, true) => FromCycles,
            (true, false) => time => (long)Shifted(time, shifts),
            (true, true) => time => FromCycles(Shifted(time, shifts)),
        };
    }

    /// <summary>Takes option TIME_SHIFT: behind the peer's number flags, and of each CPU when its clock was compared, by how much it differed and at which rate it goes.</summary>
    /// <remarks>Rates are fixed-point numbers since trace-cmd 3.1, whole numbers before; the places behind the point come last, so that older readers pass over them.</remarks>
    internal void TakeShifts(ref DatReader option)
    {
        _isInterpolated = (option.U32() & Interpolate) != 0;
        uint count = option.U32();
        if (count > option.Remaining / 4)
        {
            count = (uint)option.Remaining / 4;
        }

        Shift[][] cpus = new Shift[count][];
        for (int cpu = 0; cpu < count; cpu++)
        {
            cpus[cpu] = new Shift[Math.Min(option.U32(), (uint)option.Remaining / 24)];
            for (int at = 0; at < cpus[cpu].Length; at++)
            {
                cpus[cpu][at].Time = option.U64();
            }

            for (int at = 0; at < cpus[cpu].Length; at++)
            {
                cpus[cpu][at].Offset = (long)option.U64();
            }

            for (int at = 0; at < cpus[cpu].Length; at++)
            {
                cpus[cpu][at].Rate = option.U64();
            }
        }

        bool hasFractions = option.Remaining > 0;
        foreach (Shift[] shifts in cpus)
        {
            for (int at = 0; at < shifts.Length && hasFractions; at++)
            {
                shifts[at].Fraction = (int)Math.Min(option.U64(), 63);
            }
        }

        // Sorted, and of several at one moment the first.
        _cpus = [.. cpus.Select(static shifts => shifts.OrderBy(static shift => shift.Time).DistinctBy(static shift => shift.Time).ToArray())];
    }

    private long FromCycles(ulong cycles) => (long)(((UInt128)cycles * Cycles.Multiplier) >> Cycles.Shift);

    private ulong Shifted(ulong time, Shift[] shifts)
    {
        if (shifts.Length == 1)
        {
            // Of one comparison only the difference is known: trace-cmd does not believe its rate.
            return time + (ulong)shifts[0].Offset;
        }

        // The two comparisons that the time lies between; before the first or behind the last, the two that are nearest.
        int low = 0;
        int high = shifts.Length - 1;
        while (high - low > 1)
        {
            int middle = (low + high) / 2;
            if (time < shifts[middle].Time)
            {
                high = middle;
            }
            else
            {
                low = middle;
            }
        }

        ref readonly Shift from = ref shifts[low];
        ref readonly Shift to = ref shifts[low + 1];
        long offset = from.Offset;
        if (_isInterpolated)
        {
            Int128 span = to.Time - from.Time;
            offset += (long)(((((Int128)time - from.Time) * ((Int128)to.Offset - from.Offset)) + (span / 2)) / span);
        }

        ulong rated = from.Rate == 0 ? time : (ulong)(((UInt128)time * from.Rate) >> from.Fraction);
        return rated + (ulong)offset;
    }

    /// <summary>One comparison of a guest's clock with its host's.</summary>
    private struct Shift
    {
        internal ulong Time;
        internal long Offset;
        internal ulong Rate;
        internal int Fraction;
    }
}
