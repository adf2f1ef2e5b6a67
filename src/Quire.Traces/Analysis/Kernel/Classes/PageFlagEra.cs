namespace Quire.Traces.Analysis;

/// <summary>The order of the page flags in a span of kernel versions. Immutable; facts of include/linux/page-flags.h and include/trace/events/mmflags.h.</summary>
/// <param name="First">The first version, as 100 times the first number plus the second.</param>
/// <param name="Last">The last version.</param>
/// <param name="Fixed">The flags that every configuration has, by bit from 0 on.</param>
/// <param name="Why">What began it.</param>
internal sealed record PageFlagEra(int First, int Last, IReadOnlyList<string> Fixed, string Why)
{
    /// <summary>Flags that the configuration adds, in the order of their bits behind the fixed ones.</summary>
    internal static readonly string[] Optional = ["mlocked", "uncached", "hwpoison", "young", "idle", "arch_2", "arch_3", "skip_kasan_poison"];

    /// <summary>The names by which eras are told apart.</summary>
    private static readonly string[] s_telling = ["waiters", "workingset", "error", "slab", "swapcache", "mappedtodisk", "owner_2", "dropbehind"];

    /// <summary>All eras since page_ref events exist, the oldest first.</summary>
    internal static IReadOnlyList<PageFlagEra> All { get; } =
    [
        new(406, 409, Names("locked error referenced uptodate dirty lru active slab owner_priv_1 arch_1 reserved private private_2 writeback head swapcache mappedtodisk reclaim swapbacked unevictable"), "the first with page_ref events"),
        new(410, 419, Names("locked error referenced uptodate dirty lru active waiters slab owner_priv_1 arch_1 reserved private private_2 writeback head mappedtodisk reclaim swapbacked unevictable"),
            "waiters in bit 7 (commit b91e1302ad9b); the swap cache shares owner_priv_1 (commit 6326fec1122c)"),
        new(420, 606, Names("locked referenced uptodate dirty lru active workingset waiters error slab owner_priv_1 arch_1 reserved private private_2 writeback head mappedtodisk reclaim swapbacked unevictable"), "workingset (commit 1899ad18c607)"),
        new(607, 609, Names("locked writeback referenced uptodate dirty lru head waiters active workingset error slab owner_priv_1 arch_1 reserved private private_2 mappedtodisk reclaim swapbacked unevictable"),
            "writeback in bit 1, head in bit 6 (\"mm: Rearrange page flags\", August 2023)"),
        new(610, 611, Names("locked writeback referenced uptodate dirty lru head waiters active workingset error owner_priv_1 arch_1 reserved private private_2 mappedtodisk reclaim swapbacked unevictable"), "slab is a page type (commit 46df8e73a4a3)"),
        new(612, 613, Names("locked writeback referenced uptodate dirty lru head waiters active workingset owner_priv_1 owner_2 arch_1 reserved private private_2 reclaim swapbacked unevictable"), "error is gone, mappedtodisk is owner_2"),
        new(614, 9999, Names("locked writeback referenced uptodate dirty lru head waiters active workingset owner_priv_1 owner_2 arch_1 reserved private private_2 reclaim swapbacked unevictable dropbehind"), "dropbehind"),
    ];

    /// <summary>Whether it is the one that kernels to come are taken for.</summary>
    internal bool Newest => Last == 9999;

    internal bool Covers(int version) => version >= First && version <= Last;

    /// <summary>Whether a kernel whose format text lists these names can be of this era.</summary>
    internal bool Lists(IReadOnlyCollection<string> listed) => s_telling.All(name => listed.Contains(name) == Fixed.Contains(name));

    private static string[] Names(string text) => text.Split(' ');
}
