using Xunit;

namespace Quire.Tests.Tracing;

/// <summary>Call sites: how they read, and how they get their numbers.</summary>
public class CallSiteTests
{
    [Theory]
    [InlineData("/home/a/src/Parser.cs", "Parser.cs:141 KeepHeader")]
    [InlineData(@"C:\src\Parser.cs", "Parser.cs:141 KeepHeader")]
    [InlineData("Parser.cs", "Parser.cs:141 KeepHeader")]
    public void A_site_reads_as_file_line_and_member(string file, string text) =>
        Assert.Equal(text, new CallSite(file, 141, "KeepHeader").ToString());

    [Fact]
    public void A_site_without_a_member_or_a_file_says_what_it_has()
    {
        Assert.Equal("Parser.cs:141", new CallSite("Parser.cs", 141, "").ToString());
        Assert.Equal("unknown site", default(CallSite).ToString());
        Assert.True(default(CallSite).IsUnknown);
        Assert.False(new CallSite("Parser.cs", 141, "").IsUnknown);
    }

    [Fact]
    public void A_site_keeps_its_number_whatever_strings_spell_it()
    {
        uint number = CallSiteTable.NumberOf("Same.cs", 1, "Same");
        for (int i = 0; i < 50; i++)
        {
            // New strings each time, more of them than the table keeps aliases.
            Assert.Equal(number, CallSiteTable.NumberOf(new string("Same.cs".AsSpan()), 1, new string("Same".AsSpan())));
        }

        Assert.Equal(new CallSite("Same.cs", 1, "Same"), CallSiteTable.SiteOf(number));
        Assert.NotEqual(number, CallSiteTable.NumberOf("Same.cs", 2, "Same"));
        Assert.NotEqual(number, CallSiteTable.NumberOf("Same.cs", 1, "Other"));
        Assert.NotEqual(number, CallSiteTable.NumberOf("Else.cs", 1, "Same"));
    }

    [Fact]
    public void Missing_names_are_empty_and_unknown_numbers_the_unknown_site()
    {
        uint number = CallSiteTable.NumberOf(null!, 3, null!);
        Assert.Equal(new CallSite("", 3, ""), CallSiteTable.SiteOf(number));
        Assert.Equal(default, CallSiteTable.SiteOf(0));
        Assert.Equal(default, CallSiteTable.SiteOf(uint.MaxValue));
    }

    [Fact]
    public void Threads_that_meet_new_sites_together_agree_on_their_numbers()
    {
        // Many sites on the same lines of files with names of one length: the worst the hash can meet; and growth on the way.
        const int Sites = 4000;
        string[] files = [.. Enumerable.Range(0, 40).Select(i => $"Together{i:00}.cs")];
        uint[][] numbers = [.. Enumerable.Range(0, 4).Select(_ => new uint[Sites])];
        Parallel.For(0, 4, me =>
        {
            for (int i = 0; i < Sites; i++)
            {
                numbers[me][i] = CallSiteTable.NumberOf(files[i % files.Length], i / files.Length, "M");
            }
        });

        for (int i = 0; i < Sites; i++)
        {
            Assert.Equal(new CallSite(files[i % files.Length], i / files.Length, "M"), CallSiteTable.SiteOf(numbers[0][i]));
            Assert.All(numbers, mine => Assert.Equal(numbers[0][i], mine[i]));
        }

        Assert.Equal(Sites, numbers[0].Distinct().Count());
        Assert.Equal(0, CallSiteTable.Dropped);
    }

    [Fact]
    public void Sites_that_the_hash_cannot_tell_apart_have_their_own_numbers_and_allocate_nothing()
    {
        // One line, one length, one end: more of them than there are probes.
        string[] files = [.. Enumerable.Range(0, 60).Select(i => $"{i:00}/Colliding.cs")];
        uint[] numbers = [.. files.Select(file => CallSiteTable.NumberOf(file, 77, "M"))];
        Assert.Equal(files.Length, numbers.Distinct().Count());
        Assert.Equal(0, Garbage.Least(5, () =>
        {
            for (int i = 0; i < files.Length; i++)
            {
                if (CallSiteTable.NumberOf(files[i], 77, "M") != numbers[i])
                {
                    Assert.Fail($"{files[i]} has another number now");
                }
            }
        }));
        Assert.All(Enumerable.Range(0, files.Length), i => Assert.Equal(files[i], CallSiteTable.SiteOf(numbers[i]).File));
    }
}
