using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Kernel.Classes;

using PageFlags = Quire.Traces.Analysis.PageFlags;

public sealed class PageFlagLayoutTests
{
    private const string Names61 = "locked waiters error referenced uptodate dirty lru active workingset slab owner_priv_1 arch_1 reserved private private_2 writeback head mappedtodisk reclaim swapbacked unevictable mlocked arch_2";

    public static TheoryData<string> Samples() => [.. KernelSamples.Pairs()];

    [Theory]
    [MemberData(nameof(Samples))]
    public void The_numbers_of_a_recording_read_as_the_names_that_its_kernel_printed(string sample)
    {
        using TraceInput input = TraceInput.Open(KernelSamples.FileOf(sample, "trace.dat"));
        Dictionary<(ulong Flags, bool IsAnonymous), long> evidence = [];
        List<(string Event, long Pfn, ulong Flags)> events = [];
        while (input.TryRead(out TraceRecord record))
        {
            if (record.Format.System == "page_ref")
            {
                ulong flags = (ulong)record.Number("flags");
                (ulong, bool) key = (flags, (record.Number("mapping") & 1) != 0);
                evidence[key] = evidence.GetValueOrDefault(key) + 1;
                events.Add((record.Format.Name, record.Number("pfn"), flags));
            }
        }

        Assert.True(events.Count > 40, $"{sample} has {events.Count} events");
        string print = input.Formats.First(static format => format.Name == "page_ref_mod").Print;
        IEnumerable<(ulong, bool, long)> pages = evidence.Select(static pair => (pair.Key.Flags, pair.Key.IsAnonymous, pair.Value));
        string? uname = input.Source.Properties.GetValueOrDefault("uname");
        (string? Print, string? Uname, string What)[] knowledge = [(print, uname, "names and version"), (print, null, "names alone")];
        foreach ((string? format, string? version, string what) in knowledge)
        {
            PageFlagLayout layout = PageFlagLayout.Guess(format, version, pages) ?? throw new InvalidOperationException($"no layout from {what}");
            Assert.Equal(KernelSamples.TextEvents(sample), events.Select(one => (one.Event, one.Pfn, layout.Describe(one.Flags))));
            Assert.All(evidence.Keys, key => Assert.Equal(PageFlagLayout.Parse(layout.Describe(key.Flags)), layout.Of(key.Flags)));
        }
    }

    [Theory]
    [InlineData("4.9.0", "locked error referenced uptodate dirty lru active slab owner_priv_1 arch_1 reserved private private_2 writeback head swapcache mappedtodisk reclaim swapbacked unevictable mlocked uncached hwpoison young idle",
        "uptodate 3, lru 5, writeback 13, swapcache 15, swapbacked 18, mlocked 20, idle 24")]
    [InlineData("4.19.260", "locked waiters error referenced uptodate dirty lru active slab owner_priv_1 arch_1 reserved private private_2 writeback head mappedtodisk reclaim swapbacked unevictable mlocked hwpoison",
        "error 1, uptodate 3, lru 5, waiters 7, slab 8, writeback 14, head 15, swapbacked 18, hwpoison 21")]
    [InlineData("5.10.0-28-amd64", Names61, "locked 0, uptodate 2, lru 4, waiters 7, error 8, slab 9, writeback 15, head 16, swapbacked 19, mlocked 21, arch_2 22")]
    [InlineData("6.8.0", Names61, "locked 0, writeback 1, uptodate 3, lru 5, head 6, waiters 7, error 10, slab 11, swapbacked 19, mlocked 21, arch_2 22")]
    [InlineData("6.10.2", "locked waiters error referenced uptodate dirty lru active workingset owner_priv_1 arch_1 reserved private private_2 writeback head mappedtodisk reclaim swapbacked unevictable mlocked hwpoison idle young arch_2 arch_3",
        "writeback 1, uptodate 3, head 6, error 10, owner_priv_1 11, swapbacked 18, mlocked 20, young 22, idle 23, arch_2 24, arch_3 25")]
    [InlineData("6.12.17", "locked waiters referenced uptodate dirty lru active workingset owner_priv_1 owner_2 arch_1 reserved private private_2 writeback head reclaim swapbacked unevictable mlocked",
        "writeback 1, uptodate 3, head 6, owner_priv_1 10, owner_2 11, private 14, swapbacked 17, unevictable 18, mlocked 19")]
    [InlineData("6.16.1", "locked waiters referenced uptodate dirty lru active workingset owner_priv_1 owner_2 arch_1 reserved private private_2 writeback head reclaim swapbacked unevictable dropbehind mlocked",
        "swapbacked 17, unevictable 18, dropbehind 19, mlocked 20")]
    public void Names_and_version_give_the_bits_of_each_era(string uname, string names, string bits)
    {
        PageFlagLayout layout = Guess(names.Split(' '), uname);
        foreach (string[] bit in bits.Split(", ").Select(static text => text.Split(' ')))
        {
            Assert.True(layout.TryBit(bit[0], out int found), bit[0]);
            Assert.True(found == int.Parse(bit[1]), $"{bit[0]} is bit {found}, not {bit[1]}");
        }

        Assert.Equal(names.Split(' ').Length, layout.Names.Count);
        Assert.Equal(names.Replace(' ', '|'), layout.Describe((1UL << names.Split(' ').Length) - 1));
    }

    [Fact]
    public void Pages_speak_against_a_version_whose_distribution_moved_the_bits()
    {
        ulong old = 1 << 2 | 1 << 4 | 1 << 19;
        ulong moved = 1 << 3 | 1 << 5 | 1 << 19;
        Assert.True(Guess(Names61.Split(' '), "5.14.0-500.el9", (moved, true, 1000), (old, true, 3)).TryBit("uptodate", out int bit) && bit == 3);
        Assert.True(Guess(Names61.Split(' '), "6.8.0", (old, true, 1000)).TryBit("uptodate", out bit) && bit == 2);
        Assert.True(Guess(Names61.Split(' '), null, (moved, true, 1)).TryBit("uptodate", out bit) && bit == 3);
    }

    [Fact]
    public void A_version_alone_gives_the_flags_that_every_configuration_has()
    {
        PageFlagLayout layout = PageFlagLayout.Guess(null, "Linux box 6.1.0-18-amd64 #1 SMP", []) ?? throw new InvalidOperationException("none");
        Assert.Equal("uptodate|lru|swapbacked", layout.Describe(1UL << 2 | 1 << 4 | 1 << 19 | 1UL << 60));
        Assert.False(layout.TryBit("mlocked", out _));
        Assert.Null(PageFlagLayout.Guess(null, null, []));
        Assert.Null(PageFlagLayout.Guess("", "", []));
        Assert.Null(PageFlagLayout.Guess("garbage { 1UL << PG_, \"", "3.10", []));
    }

    [Fact]
    public void A_format_that_says_the_bits_is_believed()
    {
        PageFlagLayout layout = PageFlagLayout.Guess("__print_flags(REC->flags, \"|\", { 1UL << 0, \"locked\" }, { (1UL << (9)), \"uptodate\" })", "6.1", []) ?? throw new InvalidOperationException("none");
        Assert.Equal("locked|uptodate", layout.Describe(1 | 1 << 9));
        Assert.Equal(PageFlags.Uptodate, layout.Of(1 << 9));
    }

    [Fact]
    public void More_names_than_the_mask_has_bits_is_no_layout_and_bits_beyond_the_mask_are_no_flags()
    {
        Assert.Null(PageFlagLayout.Guess(Print(Names61.Split(' '), 20), "6.1", []));
        PageFlagLayout more = PageFlagLayout.Guess(Print(Names61.Split(' '), 25), "6.1", []) ?? throw new InvalidOperationException("none");
        Assert.Equal("lru|0x1000000", more.Describe(1UL << 4 | 1UL << 24 | 1UL << 25 | 1UL << 63));
    }

    [Fact]
    public void A_vendors_flag_stands_behind_the_known_ones()
    {
        PageFlagLayout layout = Guess([.. Names61.Split(' '), "oem_reserved_1"], "6.1.75-android14");
        Assert.True(layout.TryBit("oem_reserved_1", out int bit) && bit == 23);
    }

    [Theory]
    [InlineData("none", PageFlags.None)]
    [InlineData("", PageFlags.None)]
    [InlineData("uptodate|lru|mappedtodisk|swapbacked", PageFlags.Uptodate | PageFlags.Lru | PageFlags.SwapBacked)]
    [InlineData("locked|owner_priv_1|swapbacked", PageFlags.Locked | PageFlags.SwapBacked | PageFlags.SwapCache)]
    [InlineData("owner_priv_1|private", PageFlags.Private)]
    [InlineData("swapcache", PageFlags.SwapCache)]
    [InlineData("mlocked|unevictable|reclaim|head|writeback|slab|reserved|dirty|referenced|active",
        PageFlags.Mlocked | PageFlags.Unevictable | PageFlags.Reclaim | PageFlags.Head | PageFlags.Writeback | PageFlags.Slab | PageFlags.Reserved | PageFlags.Dirty | PageFlags.Referenced | PageFlags.Active)]
    public void Texts_read_as_the_flags_they_name(string text, object expected) => Assert.Equal((PageFlags)expected, PageFlagLayout.Parse(text));

    private static PageFlagLayout Guess(string[] names, string? uname, params (ulong, bool, long)[] evidence) =>
        PageFlagLayout.Guess(Print(names, names.Length), uname, evidence) ?? throw new InvalidOperationException("no layout");

    /// <summary>As the kernel writes it: bare names, the optional ones without a space.</summary>
    private static string Print(string[] names, int bits) =>
        $"\"pfn=0x%lx flags=%s\", REC->pfn, (REC->flags & ((1UL << {bits}) - 1)) ? __print_flags(REC->flags & ((1UL << {bits}) - 1), \"|\", {string.Join(", ", names.Select(static (name, at) => at % 2 == 0 ? $"{{1UL << PG_{name}, \"{name}\" }}" : $"{{ 1UL <<  PG_{name}, \"{name}\"}}"))} ) : \"none\"";
}
