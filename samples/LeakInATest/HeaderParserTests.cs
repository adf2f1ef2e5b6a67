using Xunit;

namespace Quire.Samples.LeakInATest;

/// <summary>A test finds a leak by one line: <c>using PageLeakScope scope = new();</c>.</summary>
public sealed class HeaderParserTests
{
    private const string Complete = "host: example\ncookie: a";
    private const string WithFieldTwice = "host: example\ncookie: a\ncookie: b";

    [Fact]
    public void What_the_caller_frees_is_free()
    {
        using PageLeakScope scope = new();
        Free(Parse(Complete));
    }

    [Fact]
    public void A_leak_fails_the_test_and_the_message_names_the_line_that_took_what_was_kept()
    {
        // What would fail the test below, caught to be looked at.
        PageLeakException leak = Assert.Throws<PageLeakException>(() =>
        {
            using PageLeakScope scope = new();
            Free(Parse(WithFieldTwice));
        });
        Holder holder = Assert.Single(leak.Leaks);
        Assert.EndsWith("HeaderParser.cs", holder.Taken.Site.File, StringComparison.Ordinal);
        Assert.Equal("Parse", holder.Taken.Site.Member);
        Assert.Contains("HeaderParser.cs:", leak.Message, StringComparison.Ordinal);
    }

    [Fact(Explicit = true)]
    public void This_one_fails_to_show_what_a_leak_looks_like()
    {
        using PageLeakScope scope = new();
        Free(Parse(WithFieldTwice));
    }

    private static Dictionary<string, PageFragment> Parse(string message)
    {
        using PageFragmentCache cache = new(PageAllocator.Shared);
        return new HeaderParser(cache).Parse(System.Text.Encoding.ASCII.GetBytes(message));
    }

    private static void Free(Dictionary<string, PageFragment> fields)
    {
        foreach (PageFragment fragment in fields.Values)
        {
            fragment.Free();
        }
    }
}
