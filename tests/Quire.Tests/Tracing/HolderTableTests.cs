using Xunit;

namespace Quire.Tests.Tracing;

/// <summary>The table: order, folding, totals that reconcile, and the text that people read.</summary>
public class HolderTableTests
{
    [Fact]
    public void The_table_reads_as_documented()
    {
        List<Holder> holders =
        [
            Make("src/Cache.cs", 9, "Refill", page: 7, age: 90_000, kind: HolderKind.Bias, references: 60),
            .. Enumerable.Range(0, 20).Select(i =>
                Make("src/Retry.cs", 57, "Enqueue", page: 200 + (i % 16), age: 12, bytes: 1460, thread: "retry")),
            .. Enumerable.Range(0, 188).Select(i => Make("src/Parser.cs", 141, "KeepHeader", page: i, age: 480 - i, bytes: 23)),
        ];

        Assert.Equal(
            """
            held: 268 references to 204 pages by 3 sites, and 4 untracked, oldest 1 min
              SITE                      KIND        REFS  PAGES      USED / PINNED  OLDEST  THREADS
              Parser.cs:141 KeepHeader  fragment     188    188  4.2 KiB / 752 KiB  480 ms  T9
              Retry.cs:57 Enqueue       fragment      20     16    29 KiB / 64 KiB   12 ms  T9 "retry"
              Cache.cs:9 Refill         cache bias    60      1          - / 4 KiB   1 min  T9
              untracked                                4      2                             taken before tracking, or with the ledger full

            """.ReplaceLineEndings("\n"),
            new HolderTable(holders, untrackedReferences: 4, untrackedPages: 2).ToString());
    }

    [Fact]
    public void Nothing_held_is_said_in_one_line()
    {
        Assert.Equal("held: nothing\n", new HolderTable([]).ToString());
        string untracked = new HolderTable([], untrackedReferences: 1, untrackedPages: 1).ToString();
        Assert.StartsWith("held: 1 untracked reference to 1 page\n", untracked, StringComparison.Ordinal);
        Assert.Contains("\n  untracked", untracked, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_taken_comes_before_what_is_structural_and_the_oldest_first()
    {
        HolderTable table = new(
        [
            Make("A.cs", 1, "M", page: 1, age: 5),
            Make("B.cs", 1, "M", page: 1, age: 900, kind: HolderKind.Movable),
            Make("C.cs", 1, "M", page: 1, age: 50),
            Make("D.cs", 1, "M", page: 1, age: 50, references: 2),
            Make("E.cs", 1, "M", page: 1, age: 1000, kind: HolderKind.Contiguous),
        ]);
        Assert.Equal(["D.cs", "C.cs", "A.cs", "E.cs", "B.cs"], table.Rows.Select(row => row.Site.File));
        Assert.Equal(1, table.Pages);
    }

    [Fact]
    public void A_holder_that_was_handed_on_is_blamed_on_the_receiver()
    {
        Holder given = Make("Parser.cs", 141, "KeepHeader", page: 1, age: 500) with
        {
            Touched = new HolderStamp(new CallSite("Retry.cs", 57, "Enqueue"), 4, null, TimeSpan.FromMilliseconds(20)),
        };
        HolderRow row = Assert.Single(new HolderTable([given]).Rows);
        Assert.Equal("Retry.cs:57 Enqueue", row.Site.ToString());
        Assert.Equal(20, row.Oldest.TotalMilliseconds);
        Assert.Equal(["T4"], row.Threads);
    }

    [Fact]
    public void Small_rows_are_folded_into_one_line_and_every_total_reconciles()
    {
        List<Holder> holders = [Make("Big.cs", 1, "M", page: 1, age: 1, references: 1000)];
        for (int i = 0; i < 30; i++)
        {
            holders.Add(Make($"Small{i}.cs", 1, "M", page: i % 10, age: 100 + i, references: 2));
        }

        HolderTable table = new(holders, untrackedReferences: 5, untrackedPages: 1);
        string text = table.ToString();
        Assert.Contains("held: 1060 references to 10 pages by 31 sites, and 5 untracked, oldest 129 ms\n", text, StringComparison.Ordinal);

        // The oldest stays, however small; the big one stays, however young.
        Assert.Contains("\n  Small29.cs:1 M ", text, StringComparison.Ordinal);
        Assert.Contains("\n  Big.cs:1 M ", text, StringComparison.Ordinal);
        Assert.Contains("\n  (+29 more sites) ", text, StringComparison.Ordinal);
        Assert.Equal(1065, Column(text, "REFS").Sum());
        Assert.Equal(1065, table.References);
        Assert.Equal(31, table.Rows.Count);

        string all = table.ToString(foldBelow: 0, maximumRows: 100);
        Assert.DoesNotContain("more site", all, StringComparison.Ordinal);
        Assert.Equal(1065, Column(all, "REFS").Sum());

        string few = table.ToString(foldBelow: 0, maximumRows: 3);
        Assert.Contains("\n  (+28 more sites) ", few, StringComparison.Ordinal);
        Assert.Equal(1065, Column(few, "REFS").Sum());
    }

    [Fact]
    public void A_single_small_row_is_shown_rather_than_folded_unless_the_rows_are_used_up()
    {
        HolderTable table = new(
        [
            Make("Old.cs", 1, "M", page: 1, age: 9, references: 1000),
            Make("Small.cs", 1, "M", page: 2, age: 1, references: 1),
        ]);
        Assert.Contains("Small.cs:1", table.ToString(), StringComparison.Ordinal);
        string one = table.ToString(foldBelow: 0.02, maximumRows: 1);
        Assert.Contains("\n  (+1 more site) ", one, StringComparison.Ordinal);
        Assert.DoesNotContain("Small.cs", one, StringComparison.Ordinal);
    }

    [Fact]
    public void Many_threads_are_named_up_to_three_and_then_counted()
    {
        HolderTable table = new(Enumerable.Range(1, 5).Select(i => Make("A.cs", 1, "M", page: 1, age: i, thread: $"w{i}")));
        Assert.EndsWith("T9 \"w5\", T9 \"w4\", T9 \"w3\" (+2)\n", table.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Arguments_out_of_range_are_refused()
    {
        Assert.Throws<ArgumentNullException>(() => new HolderTable(null!));
        Assert.Throws<ArgumentOutOfRangeException>(() => new HolderTable([], -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new HolderTable([], 0, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new HolderTable([]).ToString(1.1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new HolderTable([]).ToString(0, 0));
    }

    [Theory]
    [InlineData(0, "0 ms")]
    [InlineData(999, "999 ms")]
    [InlineData(1000, "1.0 s")]
    [InlineData(59_990, "59.9 s")]
    [InlineData(60_000, "1 min")]
    [InlineData(3_599_000, "59 min")]
    [InlineData(3_600_000, "1 h")]
    [InlineData(90_000_000, "1 d")]
    public void Durations_use_the_largest_unit_and_never_round_up(int milliseconds, string text) =>
        Assert.Equal(text, HolderTable.Duration(TimeSpan.FromMilliseconds(milliseconds)));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(23, "23 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1 KiB")]
    [InlineData(4324, "4.2 KiB")]
    [InlineData(770048, "752 KiB")]
    [InlineData(1L << 31, "2 GiB")]
    [InlineData(1L << 52, "4096 TiB")]
    public void Sizes_are_in_binary_units(long bytes, string text) => Assert.Equal(text, HolderTable.Size(bytes));

    [Fact]
    public void A_holder_reads_as_one_line()
    {
        Holder holder = Make("src/Parser.cs", 141, "KeepHeader", page: 0x17ac9, age: 480, bytes: 23);
        Assert.Equal("page 0x17ac9: 1 reference (fragment, 23 B) Parser.cs:141 KeepHeader, T9, 480 ms ago", holder.ToString());
        Holder given = holder with { References = 2, Touched = new HolderStamp(default, 0, null, TimeSpan.FromSeconds(2)) };
        Assert.Equal(
            "page 0x17ac9: 2 references (fragment, 23 B) unknown site, unknown thread, 2.0 s ago; "
            + "taken at Parser.cs:141 KeepHeader, T9, 480 ms ago",
            given.ToString());
    }

    // The numbers in a column, found by where its right-aligned header ends.
    private static IEnumerable<int> Column(string text, string header)
    {
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        int end = lines[1].IndexOf(header, StringComparison.Ordinal) + header.Length;
        return lines.Skip(2).Select(line => int.Parse(line[..end].Split(' ')[^1]));
    }

    private static Holder Make(
        string file,
        int line,
        string member,
        int page,
        double age,
        long bytes = 0,
        string? thread = null,
        HolderKind kind = HolderKind.Fragment,
        int references = 1) => new()
        {
            Identity = (1ul << 28) | (uint)page,
            References = references,
            Bytes = bytes,
            PageBytes = 4096,
            Kind = kind,
            Taken = new HolderStamp(new CallSite(file, line, member), 9, thread, TimeSpan.FromMilliseconds(age)),
        };
}
