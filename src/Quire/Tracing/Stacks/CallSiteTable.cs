using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>Gives each call site a small number, so that records of the ledger can live outside the GC heap.</summary>
/// <remarks>
/// The alternative was records in managed arrays that hold the strings themselves. Rejected: each take would pass two write barriers
/// and dirty the cards of an old array, so that every young collection walks the ledger; four million records
/// would be 300 MB for the collector to mark; and a record would need 24 bytes for what 4 do.
/// <para>
/// Call-site strings are literals, so the same line passes the same two references every time: a look-up
/// compares references, never characters. The table is open-addressed, read without a lock and only ever
/// added to; entries are immutable, and the array is replaced when it is half full.
/// </para>
/// <para>
/// What is bounded: <see cref="MaximumSites"/> sites (what comes after is the unknown site, and counted), and <see cref="MaximumAliases"/>
/// pairs of references for one site, for callers that build their strings anew each time; these then pay a look-up by content under a lock.
/// </para>
/// </remarks>
internal static class CallSiteTable
{
    internal const int MaximumSites = 1 << 20;
    internal const int MaximumAliases = 4;
    private const int MaximumProbes = 16;
    private const int TailStart = 7;

    // Entered uninterrupted: who numbers a site may be in the midst of taking a reference.
    private static readonly object s_gate = new();
    private static readonly Dictionary<CallSite, Known> s_byContent = [];
    private static Entry?[] s_entries = new Entry?[1024];
    private static int s_entryCount;
    private static CallSite[] s_sites = new CallSite[256];
    private static uint s_last;
    private static long s_dropped;

    /// <summary>Sites known so far; their numbers are 1 to this. 0 is the unknown site.</summary>
    internal static uint Last => Volatile.Read(ref s_last);

    /// <summary>Look-ups that got the unknown site because the table was full.</summary>
    internal static long Dropped => Volatile.Read(ref s_dropped);

    /// <summary>The number of a site; the same content always has the same number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint NumberOf(string file, int line, string member)
    {
        // Happens before: an entry is complete before the store of its reference publishes it (a store of a reference releases),
        // and what is read through the reference is read after it.
        Entry?[] entries = s_entries;
        Entry? entry = entries[Slot(file, line, member) & (uint)(entries.Length - 1)];
        return entry is not null && entry.Line == line && ReferenceEquals(entry.File, file) && ReferenceEquals(entry.Member, member)
            ? entry.Number
            : Probe(file, line, member);
    }

    /// <summary>The site with a number; the unknown site for a number never given out.</summary>
    internal static CallSite SiteOf(uint number)
    {
        using (Uninterrupted.Enter(s_gate))
        {
            return number < s_sites.Length ? s_sites[number] : default;
        }
    }

    /// <summary>Shows a sink every site known; a site that comes meanwhile publishes itself.</summary>
    internal static void Replay(ITextSink sink)
    {
        CallSite[] sites;
        using (Uninterrupted.Enter(s_gate))
        {
            sites = s_sites[..((int)s_last + 1)];
        }

        for (int number = 1; number < sites.Length; number++)
        {
            sink.Text((uint)number, sites[number].ToString());
        }
    }

    // From the line, the lengths, and the four characters before the file's ".cs": they tell apart the sites that share a line,
    // and cost one load instead of a walk over the characters.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Slot(string? file, int line, string? member)
    {
        ulong hash = (uint)line | ((ulong)(uint)(member is null ? 0 : member.Length) << 32);
        if (file is not null && file.Length >= TailStart)
        {
            ref char tail = ref Unsafe.Add(ref MemoryMarshal.GetReference(file.AsSpan()), file.Length - TailStart);
            hash += (Unsafe.ReadUnaligned<ulong>(ref Unsafe.As<char, byte>(ref tail)) + (uint)file.Length) * 0x9E3779B97F4A7C15ul;
        }

        return (uint)((hash * 0xD6E8FEB86659FD93ul) >> 32);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static uint Probe(string? file, int line, string? member)
    {
        file ??= "";
        member ??= "";
        Entry?[] entries = s_entries;
        uint slot = Slot(file, line, member);
        for (uint probe = 0; probe < MaximumProbes; probe++)
        {
            Entry? entry = entries[(slot + probe) & (uint)(entries.Length - 1)];
            if (entry is null)
            {
                break;
            }

            if (entry.Line == line && ReferenceEquals(entry.File, file) && ReferenceEquals(entry.Member, member))
            {
                return entry.Number;
            }
        }

        return Intern(file, line, member);
    }

    private static uint Intern(string file, int line, string member)
    {
        using (Uninterrupted.Enter(s_gate))
        {
            CallSite site = new(file, line, member);
            if (!s_byContent.TryGetValue(site, out Known? known))
            {
                if (s_last >= MaximumSites)
                {
                    s_dropped++;
                    return 0;
                }

                uint number = s_last + 1;
                if (number == s_sites.Length)
                {
                    Array.Resize(ref s_sites, s_sites.Length * 2);
                }

                s_sites[number] = site;
                known = new Known { Number = number };

                // Before the number can be found by anyone, so before any event that names it.
                if (TextTable.HasSinks)
                {
                    TextTable.PublishSite(number, site.ToString());
                }

                s_byContent.Add(site, known);
                Volatile.Write(ref s_last, number);
            }

            if (known.Aliases < MaximumAliases)
            {
                // One that finds no place tries no more: the next try would find the same places taken.
                known.Aliases = Insert(new Entry(file, line, member, known.Number)) ? known.Aliases + 1 : MaximumAliases;
            }

            return known.Number;
        }
    }

    private static bool Insert(Entry entry)
    {
        if (s_entryCount * 2 >= s_entries.Length)
        {
            Entry?[] larger = new Entry?[s_entries.Length * 2];
            int kept = 0;
            foreach (Entry? old in s_entries)
            {
                kept += old is not null && Place(larger, old) ? 1 : 0;
            }

            s_entryCount = kept;
            s_entries = larger;
        }

        if (!Place(s_entries, entry))
        {
            return false;
        }

        s_entryCount++;
        return true;
    }

    // An entry that finds no room within the probes stays out: its look-ups go by content, which is slow but right.
    private static bool Place(Entry?[] entries, Entry entry)
    {
        uint slot = Slot(entry.File, entry.Line, entry.Member);
        for (uint probe = 0; probe < MaximumProbes; probe++)
        {
            ref Entry? place = ref entries[(slot + probe) & (uint)(entries.Length - 1)];
            if (place is null)
            {
                place = entry;
                return true;
            }
        }

        return false;
    }

    private sealed class Entry(string file, int line, string member, uint number)
    {
        internal readonly string File = file;
        internal readonly string Member = member;
        internal readonly int Line = line;
        internal readonly uint Number = number;
    }

    private sealed class Known
    {
        internal uint Number;
        internal int Aliases;
    }
}
