using System.Runtime.CompilerServices;
using Xunit;

namespace Quire.Explore;

/// <summary>A small allocator for one run, the same in every run: one per-core list, whatever core a thread happens to be on.</summary>
internal static unsafe class Memory
{
    internal static PageAllocator New(int sections = 1)
    {
        PageAllocator allocator = new(new PageAllocatorOptions
        {
            Name = "explored",
            LimitBytes = (long)sections << PageMap.SectionShift,
            TrimInterval = Timeout.InfiniteTimeSpan,
        });
        ref PerCoreList[] lists = ref PerCoreOf(allocator);
        lists = [lists[0]];

        // The memory comes now: growth takes a lock, and no explored thread may wait for one.
        PageDescriptor* page = Take(allocator);
        allocator.FreeDestinations(page->Frame);
        allocator.DrainPerCore();
        return allocator;
    }

    /// <summary>A page with count 1, past the magazines: each belongs to a real thread.</summary>
    internal static PageDescriptor* Take(PageAllocator allocator, int order = 0)
    {
        PageDescriptor* page = allocator.TakePage(order, MigrateType.Movable, out AllocationFailure failure);
        Assert.Equal(AllocationFailure.None, failure);
        return page;
    }

    internal static PerCoreList PerCore(PageAllocator allocator) => PerCoreOf(allocator)[0];

    /// <summary>All equations hold and nothing is in use.</summary>
    internal static void AssertAllBack(PageAllocator allocator)
    {
        allocator.Verify();
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_perCore")]
    private static extern ref PerCoreList[] PerCoreOf(PageAllocator allocator);
}
