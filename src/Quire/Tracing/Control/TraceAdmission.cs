using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>Decides which references a selective recording is about: those that its filter names, and of these one in N.</summary>
/// <remarks>
/// <para>
/// <b>Fair whatever the program's rhythm.</b> Every N-th reference would be the wrong sample: a program that takes eight references a request has its
/// every eighth taken at the same line, and a sample of one in eight sees only that line. So the gap to the next one admitted is drawn anew each time, from
/// the distribution in which every reference is admitted with probability 1/N independently of all others (geometric, mean N). Figures of a
/// sample times N are then right on average for every call site.
/// </para>
/// <para>
/// <b>Cheap.</b> A reference not admitted costs a thread-static countdown. No atomics: a thread's countdown is its own, and the rules are one immutable object.
/// The filter is asked first, so that N counts references that match. What it says of a call site is remembered in a table of one byte a site,
/// made before the recording begins: nothing allocates here.
/// </para>
/// <para>
/// A reference asked for while a recording starts or stops may be judged by the old rules or the new: it is then one more or one less in the file, no more.
/// </para>
/// </remarks>
internal static class TraceAdmission
{
    /// <summary>What the weight of a ledger record can hold.</summary>
    internal const int MaximumSampleEvery = (1 << 24) - 1;

    private static Rules? s_rules;
    private static uint s_lastEpoch;

    [ThreadStatic]
    private static Countdown t_countdown;

    /// <summary>One reference in how many is recorded: 1 for all, also while nothing is recorded. What reports multiply a sample's figures by.</summary>
    internal static int SampleEvery => Volatile.Read(ref s_rules)?.SampleEvery ?? 1;

    /// <summary>The filter of the recording that runs; null for none.</summary>
    internal static TraceFilter? Filter => Volatile.Read(ref s_rules)?.Filter;

    /// <summary>
    /// Whether this reference is recorded. Asked once a reference, when it is taken, while <see cref="Tracking.Selective"/>; what was refused has no
    /// ticket, and so no event afterwards.
    /// </summary>
    /// <param name="identity">The page: frame in the low <see cref="Ledger.FrameBits"/>.</param>
    /// <param name="bytes">Bytes of the page that the holder uses.</param>
    /// <param name="origin">Where it is taken: a call site, or a stack, which counts by its call site (<see cref="Origin"/>).</param>
    /// <returns>True always where the recording is not selective.</returns>
    internal static bool Admits(ulong identity, uint bytes, uint origin)
    {
        // Happens before: the rules are immutable and complete before the store that published them.
        Rules? rules = Volatile.Read(ref s_rules);
        return rules is null || ((rules.Filter is null || rules.Matches(identity, bytes, origin)) && (rules.SampleEvery == 1 || Draw(rules)));
    }

    /// <summary>Whether an operation on a page's bare count is recorded, which has neither size nor ticket: only the page's number counts.</summary>
    internal static bool AdmitsPage(ulong identity) =>
        Volatile.Read(ref s_rules) is not { Filter: { } filter } || filter.MatchesPage((uint)(identity & Ledger.FrameMask));

    /// <summary>Sets the rules of the recording about to begin.</summary>
    internal static void Set(int sampleEvery, TraceFilter? filter)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sampleEvery, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sampleEvery, MaximumSampleEvery);
        Volatile.Write(ref s_rules, sampleEvery == 1 && filter is null ? null : new Rules(sampleEvery, filter, ++s_lastEpoch));
    }

    /// <summary>Every reference is admitted again.</summary>
    internal static void Clear() => Volatile.Write(ref s_rules, null);

    /// <summary>Starts the calling thread's draws at a seed, so that a test's failure can be repeated.</summary>
    internal static void Seed(ulong seed) => t_countdown = new Countdown { Random = seed | 1 };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Draw(Rules rules)
    {
        ref Countdown countdown = ref t_countdown;
        if (countdown.Epoch == rules.Epoch && --countdown.Left > 0)
        {
            return false;
        }

        return DrawAnew(ref countdown, rules);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool DrawAnew(ref Countdown countdown, Rules rules)
    {
        if (countdown.Random == 0)
        {
            countdown.Random = (ulong)Random.Shared.NextInt64() | 1;
        }

        // A thread that comes to a recording for the first time, or with what an earlier one left, draws its first gap: that reference is not admitted because it is first.
        bool admitted = true;
        if (countdown.Epoch != rules.Epoch)
        {
            countdown.Epoch = rules.Epoch;
            countdown.Left = rules.Gap(ref countdown.Random);
            admitted = --countdown.Left <= 0;
        }

        if (admitted)
        {
            countdown.Left = rules.Gap(ref countdown.Random);
        }

        return admitted;
    }

    /// <summary>A thread's place between two references that are admitted.</summary>
    private struct Countdown
    {
        internal uint Epoch;
        internal int Left;
        internal ulong Random;
    }

    private sealed class Rules(int sampleEvery, TraceFilter? filter, uint epoch)
    {
        private const byte Yes = 1;
        private const byte No = 2;

        internal readonly int SampleEvery = sampleEvery;
        internal readonly TraceFilter? Filter = filter;
        internal readonly uint Epoch = epoch;
        private readonly double _perGap = sampleEvery == 1 ? 0 : 1 / Math.Log(1 - (1.0 / sampleEvery));

        // 1 MiB, and only where a filter asks for call sites.
        private readonly byte[] _sites = filter is { HasSites: true } ? new byte[CallSiteTable.MaximumSites + 1] : [];

        internal bool Matches(ulong identity, uint bytes, uint origin) =>
            Filter!.MatchesPage((uint)(identity & Ledger.FrameMask)) && Filter.MatchesSize(bytes) && (_sites.Length == 0 || MatchesSite(Origin.SiteNumber(origin)));

        /// <summary>How many references from here to the next admitted one, that one included; 1 or more.</summary>
        internal int Gap(ref ulong random)
        {
            // xorshift64*: passes what matters here, and is three shifts.
            random ^= random >> 12;
            random ^= random << 25;
            random ^= random >> 27;

            // In (0, 1]: the logarithm of 0 is never asked for.
            double uniform = (((random * 2685821657736338717ul) >> 11) + 1) * (1.0 / (1ul << 53));
            return (int)Math.Min(int.MaxValue, 1 + Math.Floor(Math.Log(uniform) * _perGap));
        }

        // Two threads that ask for one site at once find the same answer and store the same byte.
        private bool MatchesSite(uint site)
        {
            if (site >= (uint)_sites.Length)
            {
                return false;
            }

            byte known = _sites[site];
            if (known == 0)
            {
                known = _sites[site] = Filter!.MatchesSite(CallSiteTable.SiteOf(site)) ? Yes : No;
            }

            return known == Yes;
        }
    }
}
