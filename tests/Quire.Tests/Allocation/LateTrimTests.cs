using Xunit;

namespace Quire.Tests.Allocation;

/// <summary>A trim that comes too late. Alone: the frame numbers that a disposed allocator gave up must come again here, and not with another test.</summary>
[Collection(LedgerCollection.Name)]
public sealed class LateTrimTests
{
    [Fact]
    public void A_trim_that_runs_into_the_disposal_touches_nobody_elses_pages()
    {
        // The frame numbers of a disposed allocator are the next one's: a late trim would take blocks off that one's lists, pages in use too.
        PageAllocator first = Trial.Allocator(4 * Trial.MiB);
        Page page = first.Allocate(Page.MaxOrder);
        uint frame = page.FrameNumber;
        page.Put();
        List<PageAllocator> later = [];
        List<Page> held = [];
        first.AddReclaimer(_ =>
        {
            // Between the question whether the allocator was disposed and the trim itself, all this happens.
            if (later.Count == 0)
            {
                later.Add(Trial.Allocator(4 * Trial.MiB));
                Trial.OnThread(() =>
                {
                    first.Dispose();
                    while (later.Count < 300 && !later.Any(allocator => allocator.Sections.All().Any(section => section.First == frame)))
                    {
                        later.Add(Trial.Allocator(4 * Trial.MiB));
                        held.AddRange([later[^1].Allocate(), later[^1].Allocate(1)]);
                    }
                });
            }
        });
        Assert.Equal(0, first.Trim());
        Assert.Contains(held, other => other.FrameNumber == frame);
        later.ForEach(allocator => allocator.Verify());
        Assert.Equal(0, first.Trim());
        held.ForEach(other => other.Put());
        later.ForEach(PageOwnershipTests.AssertWhole);
    }
}
