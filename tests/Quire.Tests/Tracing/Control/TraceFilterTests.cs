using Xunit;

namespace Quire.Tests.Tracing.Control;

public sealed class TraceFilterTests
{
    private static readonly CallSite s_parser = new("/src/Http/Parser.cs", 141, "KeepHeader");

    [Theory]
    [InlineData("page=0x100", 0x100u, true)]
    [InlineData("page=0x100", 0x101u, false)]
    [InlineData("page=256", 0x100u, true)]
    [InlineData("page=0x100-0x1ff,0x300", 0x1ffu, true)]
    [InlineData("page=0x100-0x1ff,0x300", 0x200u, false)]
    [InlineData("page=0x100-0x1ff,0x300", 0x300u, true)]
    [InlineData("page=0x100-0x1ff page=0x300", 0x300u, true)]
    [InlineData("page=0XFF-0x1ff", 0xffu, true)]
    [InlineData("size>=1", 7u, true)]
    public void Pages_are_numbers_and_ranges_and_terms_of_one_kind_are_alternatives(string text, uint frame, bool expected) =>
        Assert.Equal(expected, TraceFilter.Parse(text).MatchesPage(frame));

    [Theory]
    [InlineData("size>=4096", 4096u, true)]
    [InlineData("size>=4096", 4095u, false)]
    [InlineData("size>4K", 4096u, false)]
    [InlineData("size>4K", 4097u, true)]
    [InlineData("size<=64", 64u, true)]
    [InlineData("size<=64", 65u, false)]
    [InlineData("size<64", 63u, true)]
    [InlineData("size<64", 64u, false)]
    [InlineData("size=23", 23u, true)]
    [InlineData("size=23,1K-2K", 24u, false)]
    [InlineData("size=23,1K-2K", 2048u, true)]
    [InlineData("size<10 size>20", 15u, false)]
    [InlineData("size<10 size>20", 9u, true)]
    [InlineData("size<10 size>20", 21u, true)]
    [InlineData("page=1", 5u, true)]
    public void Sizes_have_comparisons_and_units(string text, uint bytes, bool expected) =>
        Assert.Equal(expected, TraceFilter.Parse(text).MatchesSize(bytes));

    [Theory]
    [InlineData("site=Parser.cs:141", true)]
    [InlineData("site=Parser.cs:142", false)]
    [InlineData("site=Parser.cs", true)]
    [InlineData("site=Http/Parser.cs:141", true)]
    [InlineData("site=Http\\Parser.cs:141", true)]
    [InlineData("site=/src/Http/Parser.cs", true)]
    [InlineData("site=arser.cs", false)]
    [InlineData("site=parser.cs", false)]
    [InlineData("site=Retry.cs:57,Parser.cs:141", true)]
    [InlineData("site=Retry.cs:57 site=Parser.cs", true)]
    [InlineData("site~parser", true)]
    [InlineData("site~keephead", true)]
    [InlineData("site~HTTP", true)]
    [InlineData("site~Retry", false)]
    [InlineData("site~Retry,Keep", true)]
    [InlineData("size>=1", true)]
    public void Sites_are_asked_for_exactly_or_by_a_part(string text, bool expected) =>
        Assert.Equal(expected, TraceFilter.Parse(text).MatchesSite(s_parser));

    [Fact]
    public void What_has_blanks_or_commas_stands_in_quotes()
    {
        TraceFilter filter = TraceFilter.Parse("site=\"My Parser, old.cs\":7 size>=1");
        Assert.True(filter.MatchesSite(new CallSite("/src/My Parser, old.cs", 7, "M")));
        Assert.False(filter.MatchesSite(new CallSite("/src/My Parser, old.cs", 8, "M")));
    }

    [Fact]
    public void An_unknown_site_is_none_that_was_asked_for()
    {
        Assert.False(TraceFilter.Parse("site~a").MatchesSite(default));
        Assert.True(TraceFilter.Parse("size>=1").MatchesSite(default));
    }

    [Theory]
    [InlineData("", 1, "there is no term")]
    [InlineData("   ", 4, "there is no term")]
    [InlineData("pages=1", 1, "'pages' is nothing to filter by")]
    [InlineData("=1", 1, "a term begins with one of page, size and site")]
    [InlineData("page", 5, "after 'page' comes =")]
    [InlineData("page>3", 5, "after 'page' comes =")]
    [InlineData("page=", 6, "frame number")]
    [InlineData("page=17ac9", 6, "'17ac9' is no frame number")]
    [InlineData("page=0x1g", 6, "'0x1g' is no frame number")]
    [InlineData("page=1,", 8, "is missing")]
    [InlineData("page=1-", 8, "is missing")]
    [InlineData("page=0x200-0x1ff", 6, "ends before it begins")]
    [InlineData("page=1;size=2", 7, "';' is not expected here")]
    [InlineData("size~4", 5, "after 'size' comes one of")]
    [InlineData("size>=4X", 7, "'4X' is no number of bytes")]
    [InlineData("size>=99999999999", 7, "is no number of bytes")]
    [InlineData("size<0", 6, "nothing is smaller than 0")]
    [InlineData("page=1 size>=4096 size<=8192", 19, "for a range write size=4096-8192")]
    [InlineData("size=0-9 size>9", 10, "admit every size")]
    [InlineData("site>Parser", 5, "after 'site' comes = ")]
    [InlineData("site=", 6, "a file's name is missing")]
    [InlineData("site~", 6, "nothing to look for")]
    [InlineData("site=Parser.cs:", 6, "is no line")]
    [InlineData("site=Parser.cs:0", 6, "'0' is no line")]
    [InlineData("site=:12", 6, "a file's name is missing")]
    [InlineData("site=\"Parser.cs", 6, "no second one")]
    public void A_wrong_filter_is_refused_with_the_character_and_the_reason(string text, int character, string reason)
    {
        FormatException wrong = Assert.Throws<FormatException>(() => TraceFilter.Parse(text));
        Assert.StartsWith($"Filter, character {character}: ", wrong.Message, StringComparison.Ordinal);
        Assert.Contains(reason, wrong.Message, StringComparison.Ordinal);
        Assert.False(TraceFilter.TryParse(text, out TraceFilter? filter, out string? error));
        Assert.Null(filter);
        Assert.Equal(wrong.Message, error);
    }

    [Fact]
    public void Whatever_is_typed_is_a_filter_or_a_format_error()
    {
        int seed = Environment.TickCount;
        Random random = new(seed);
        string[] parts = ["page", "size", "site", "=", "~", ">=", "<", "0x1ff", "4096", "4K", "-", ",", " ", "\"", ":", "Parser.cs", "ä", "\0", "99999999999999999999"];
        for (int round = 0; round < 20_000; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 9)).Select(_ => parts[random.Next(parts.Length)]));
            try
            {
                if (TraceFilter.TryParse(text, out TraceFilter? filter, out _))
                {
                    Assert.Equal(text.Trim(), filter.ToString());
                    _ = filter.MatchesPage(1) & filter.MatchesSize(1) & filter.MatchesSite(s_parser);
                }
            }
            catch (Exception wrong)
            {
                Assert.Fail($"seed {seed}, '{text}': {wrong}");
            }
        }
    }
}
