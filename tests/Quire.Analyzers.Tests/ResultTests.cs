using Xunit;

namespace Quire.Analyzers.Tests;

/// <summary>QUIRE007 and QUIRE008: results that nobody keeps.</summary>
public sealed class ResultTests
{
    [Theory]
    [InlineData("{|QUIRE008:cache.Allocate(10)|};")]
    [InlineData("{|QUIRE008:allocator.Allocate()|};")]
    [InlineData("PageFragment f = cache.Allocate(1); {|QUIRE008:f.Get()|}; f.Free();")]
    [InlineData("{|QUIRE008:new PageFragmentCache(allocator)|};")]
    [InlineData("{|QUIRE008:Holders.Track()|};")]
    [InlineData("{|QUIRE008:MovablePage.Allocate(allocator)|};")]
    public Task A_reference_that_nobody_keeps_is_reported(string body) => Snippet.Holds(Snippet.Body(body));

    [Theory]
    [InlineData("Run(() => cache.Allocate(10));")]
    [InlineData("_ = cache.Allocate(10);")]
    [InlineData("Keep(cache.Allocate(10));")]
    public Task One_that_somebody_keeps_or_that_is_dropped_in_so_many_words_is_not(string body) => Snippet.Holds(Snippet.Body(body));

    [Theory]
    [InlineData("{|QUIRE007:cache.TryAllocate(10, out PageFragment f, out _)|}; f.Free();")]
    [InlineData("{|QUIRE007:allocator.TryAllocate(out Page page, out _)|}; page.Put();")]
    public Task An_answer_that_nobody_reads_is_reported(string body) => Snippet.Holds(Snippet.Body(body));
}
