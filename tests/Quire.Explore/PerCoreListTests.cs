using Xunit;

namespace Quire.Explore;

public sealed unsafe class PerCoreListTests
{
    [Fact]
    public void After_isolation_and_drain_no_page_of_the_block_stands_or_comes_on_a_per_core_list()
    {
        Explorer.Explore(static scene =>
        {
            PageAllocator allocator = Memory.New();
            PerCoreList list = Memory.PerCore(allocator);
            BuddyZone zone = allocator.Zone;
            nint[] pages = [.. Enumerable.Range(0, 4).Select(_ => (nint)Moving(Memory.Take(allocator)))];
            uint block = ((PageDescriptor*)pages[0])->Frame & ~(BuddyZone.BlockFrames - 1u);
            list.Put([pages[0]], PageTemperature.Hot);
            scene.Thread("putter", () =>
            {
                list.Put([pages[1], pages[2]], PageTemperature.Hot);
                list.Put([pages[3]], PageTemperature.Cold);
            });
            scene.Thread("taker", () =>
            {
                nint[] taken = new nint[2];
                int got = list.Take(taken, MigrateType.Movable);
                foreach (nint page in taken.AsSpan(0, got))
                {
                    Assert.True(PagePreparation.TryMakePage((PageDescriptor*)page, 0, MigrateType.Movable));
                    ((PageDescriptor*)page)->State = PageState.Moving;
                }

                list.Put(taken.AsSpan(0, got), PageTemperature.Hot);
            });
            scene.Thread("isolator", () =>
            {
                zone.Gate.Enter();
                zone.Isolate(block);
                zone.Gate.Exit();
                list.DrainAll();
                AssertNone(block);
                Atomic.Point();
                AssertNone(block);
            });
            scene.AtEnd(() =>
            {
                AssertNone(block);
                list.Verify();
                zone.Verify();
                Memory.AssertAllBack(allocator);
            });
            scene.Afterwards(allocator.Dispose);
        });
    }

    /// <summary>A page as it is between its last put and a list.</summary>
    private static PageDescriptor* Moving(PageDescriptor* page)
    {
        Assert.Equal(0, PageRef.SubReturn(page, 1, "Put"));
        Assert.True(PagePreparation.TryEndGeneration(page));
        page->State = PageState.Moving;
        return page;
    }

    private static void AssertNone(uint block)
    {
        for (uint frame = block; frame < block + BuddyZone.BlockFrames; frame++)
        {
            Assert.NotEqual(PageState.PerCore, PageMap.Descriptor(frame)->State);
        }
    }
}
