using Xunit;

namespace Quire.Tests.Allocation;

/// <summary>The buddy lists after any history are what the model says, and each choice on the way keeps the rules.</summary>
public sealed unsafe class BuddyModelTests
{
    private const int Limit = 16 << 20;

    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    [InlineData("hostile")]
    public void The_free_lists_equal_the_model_after_every_step(string provider) => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator(Limit, Trial.Provider(provider));
        BuddyModel model = new();
        List<Page> held = [];
        int phase = 0;
        for (int step = 0; step < 4000; step++)
        {
            // Waves: fill up, run dry, and back, so that both splitting and merging go all the way.
            phase = step % 500 == 0 ? random.Next(1, 10) : phase;
            if (random.Next(10) < phase)
            {
                int order = random.Next(3) switch { 0 => 0, 1 => random.Next(4), _ => random.Next(Page.MaxOrder + 1) };
                Take(allocator, model, held, order, (MigrateType)random.Next(2));
            }
            else if (held.Count > 0)
            {
                int index = random.Next(held.Count);
                Page page = held[index];
                held[index] = held[^1];
                held.RemoveAt(held.Count - 1);
                model.Free(page.FrameNumber, page.Order);
                allocator.Free(page, (PageTemperature)random.Next(2));
                allocator.Reclaim();
            }

            if (step % 10 == 0)
            {
                AssertSame(allocator, model, step);
            }
        }

        foreach (Page page in held)
        {
            model.Free(page.FrameNumber, page.Order);
            page.Put();
        }

        allocator.Reclaim();
        AssertSame(allocator, model, -1);
        PageOwnershipTests.AssertWhole(allocator);
    });

    [Fact]
    public void Statistics_add_up_and_every_equation_holds_along_a_random_walk() => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator(Limit);
        List<Page> held = [];
        long frames = 0;
        for (int step = 0; step < 6000; step++)
        {
            switch (random.Next(20))
            {
                case < 9:
                    if (allocator.TryAllocate(out Page page, out _, random.Next(4) == 0 ? random.Next(9) : 0, (MigrateType)random.Next(2)))
                    {
                        held.Add(page);
                        frames += 1L << page.Order;
                    }

                    break;
                case < 17 when held.Count > 0:
                    int index = random.Next(held.Count);
                    frames -= 1L << held[index].Order;
                    allocator.Free(held[index], (PageTemperature)random.Next(2));
                    held.RemoveAt(index);
                    break;
                case 17 when held.Count > 10:
                    int count = random.Next(1, held.Count);
                    Page[] many = [.. held[..count]];
                    frames -= many.Sum(p => 1L << p.Order);
                    held.RemoveRange(0, count);
                    allocator.Free(many, (PageTemperature)random.Next(2));
                    break;
                case 18:
                    allocator.DrainIdle();
                    break;
                case 19 when random.Next(8) == 0:
                    allocator.Trim();
                    break;
            }

            PageAllocatorStatistics now = allocator.GetStatistics();
            Assert.Equal(frames, now.InUseFrames);
            Assert.Equal(now.ManagedFrames, now.FreeFrames + now.InUseFrames + now.RetiredFrames);
            Assert.True(now.BuddyFrames >= 0 && now.PerCoreFrames >= 0 && now.MagazineFrames >= 0 && now.DecommittedFrames <= now.BuddyFrames, now.ToString());
            Assert.True(now.ManagedBytes <= Limit);
            Assert.Equal(now.ManagedBytes, allocator.Sections.OnlineBytes);
            if (step % 50 == 0)
            {
                allocator.Verify();
            }
        }

        allocator.Free([.. held]);
        PageOwnershipTests.AssertWhole(allocator);
    });

    [Fact]
    public void A_block_is_split_down_and_merged_back_to_the_largest_order()
    {
        PageAllocator allocator = Trial.Allocator(4 * Trial.MiB);
        Page small = allocator.Allocate(order: 1);
        Assert.Equal(9, allocator.GetStatistics().LargestFreeOrder);
        for (int order = 1; order < Page.MaxOrder; order++)
        {
            Assert.Equal(1, allocator.Zone.Lists.Blocks(order, MigrateType.Unmovable));
        }

        // The low half is given out, the upper halves stay.
        Assert.Equal(0u, small.FrameNumber % PageMap.SectionFrames);
        small.Put();
        Assert.Equal(Page.MaxOrder, allocator.GetStatistics().LargestFreeOrder);
        Assert.Equal(1, allocator.Zone.Lists.Blocks(Page.MaxOrder, MigrateType.Unmovable));
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void A_type_without_memory_claims_a_page_block_that_is_mostly_free_and_steals_from_one_that_is_not()
    {
        PageAllocator allocator = Trial.Allocator(4 * Trial.MiB);

        // Unmovable memory only: block 0 in use but for a quarter of it, block 1 altogether.
        Page[] block0 = [allocator.Allocate(8), allocator.Allocate(7), allocator.Allocate(7)];
        Page block1 = allocator.Allocate(9);
        block0[2].Put();
        Assert.Equal(new PageAllocatorStatistics { Claims = 0, Steals = 0 }.Claims, allocator.GetStatistics().Claims);

        Page stolen = allocator.Allocate(3, MigrateType.Movable);
        Assert.Equal((0, 1), (allocator.GetStatistics().Claims, allocator.GetStatistics().Steals));
        Assert.Equal(MigrateType.Unmovable, BuddyZone.BlockTypeOf(stolen.FrameNumber));
        stolen.Put();

        // Half of it free: the whole block changes its type, with all of its free memory.
        block0[1].Put();
        Page claimed = allocator.Allocate(3, MigrateType.Movable);
        Assert.Equal((1, 1), (allocator.GetStatistics().Claims, allocator.GetStatistics().Steals));
        Assert.Equal(MigrateType.Movable, BuddyZone.BlockTypeOf(claimed.FrameNumber));
        Assert.Equal(256 - 8, allocator.Zone.Lists.FreeFramesOf(MigrateType.Movable));
        Assert.Equal(0, allocator.Zone.Lists.FreeFramesOf(MigrateType.Unmovable));
        Assert.Equal(MigrateType.Unmovable, BuddyZone.BlockTypeOf(block1.FrameNumber));
        allocator.Verify();

        // The unmovable page in the claimed block goes to that block's lists when it comes free.
        block0[0].Put();
        Assert.Equal(512 - 8, allocator.Zone.Lists.FreeFramesOf(MigrateType.Movable));

        // Blocks of different types do not merge.
        claimed.Put();
        block1.Put();
        Assert.Equal((1, 1), (allocator.Zone.Lists.Blocks(9, MigrateType.Movable), allocator.Zone.Lists.Blocks(9, MigrateType.Unmovable)));
        Assert.Equal(AllocationFailure.Fragmented, allocator.TryAllocate(out _, out AllocationFailure failure, 10) ? AllocationFailure.None : failure);
        PageOwnershipTests.AssertWhole(allocator);
    }

    /// <summary>Takes a page as the allocator does and checks the choice: best fit of its own type first, then a new section, then another type's largest block.</summary>
    private static void Take(PageAllocator allocator, BuddyModel model, List<Page> held, int order, MigrateType type)
    {
        HashSet<(uint Frame, int Order, MigrateType Type)> before = model.Blocks();
        PageAllocatorStatistics was = allocator.GetStatistics();
        int? bestFit = before.Where(block => block.Type == type && block.Order >= order).Min(block => (int?)block.Order);
        MigrateType TypeBefore(uint frame) => before.First(block => frame >= block.Frame && frame < block.Frame + (1u << block.Order)).Type;
        int? largestOther = before.Where(block => block.Type != type && block.Order >= order).Max(block => (int?)block.Order);

        Page page = TakeExactly(allocator, order, type, out AllocationFailure failure);
        bool grew = model.Grow(allocator);
        PageAllocatorStatistics now = allocator.GetStatistics();
        if (page == default)
        {
            Assert.True(bestFit is null && largestOther is null && now.ManagedBytes == Limit, $"Order {order} of {type} failed though there was a block.");
            Assert.Equal(model.FreeFrames >= 1 << order ? AllocationFailure.Fragmented : AllocationFailure.LimitReached, failure);
            Assert.Equal(was, now);
            return;
        }

        int free = model.FreeInBlock(page.FrameNumber);
        model.Take(page.FrameNumber, order);
        held.Add(page);
        Assert.Equal(0u, page.FrameNumber & ((1u << order) - 1));
        if (bestFit is { } fit)
        {
            Assert.Contains((page.FrameNumber, fit, type), before);
            Assert.Equal((was.Claims, was.Steals), (now.Claims, now.Steals));
        }
        else if (largestOther is { } largest && !grew)
        {
            Assert.Contains((page.FrameNumber, largest, TypeBefore(page.FrameNumber)), before);
            bool claims = largest >= BuddyZone.BlockOrder || free >= BuddyZone.BlockFrames / 2;
            Assert.Equal((was.Claims + (claims ? 1 : 0), was.Steals + (claims ? 0 : 1)), (now.Claims, now.Steals));
            Assert.Equal(claims, BuddyZone.BlockTypeOf(page.FrameNumber) == type);
        }
        else
        {
            Assert.True(grew, "A page came from nowhere.");
        }
    }

    /// <summary>Order 0 would bring a batch with it, which is right and hides the choice: here it is taken from the buddy lists alone.</summary>
    private static Page TakeExactly(PageAllocator allocator, int order, MigrateType type, out AllocationFailure failure)
    {
        failure = AllocationFailure.None;
        if (order > 0)
        {
            return allocator.TryAllocate(out Page page, out failure, order, type) ? page : default;
        }

        allocator.Zone.Gate.Enter();
        uint frame = allocator.Zone.Take(0, type);
        allocator.Zone.Gate.Exit();
        if (frame == 0)
        {
            Page single = allocator.TryAllocate(out Page page, out failure, 0, type) ? page : default;
            allocator.Reclaim();
            return single;
        }

        PageDescriptor* head = PageMap.Descriptor(frame);
        Assert.True(PagePreparation.TryMakePage(head, 0, type));
        PageRef.Init(head);
        return new Page(head->Identity);
    }

    private static void AssertSame(PageAllocator allocator, BuddyModel model, int step)
    {
        allocator.Verify();
        HashSet<(uint Frame, int Order, MigrateType Type)> expected = model.Blocks();
        HashSet<(uint Frame, int Order, MigrateType Type)> actual = BuddyModel.BlocksOf(allocator);
        string Show(IEnumerable<(uint Frame, int Order, MigrateType Type)> blocks) => string.Join(", ", blocks.Take(5).Select(block => $"0x{block.Frame:x} order {block.Order} {block.Type}"));
        Assert.True(
            expected.SetEquals(actual),
            $"After step {step} the lists differ. Missing: {Show(expected.Except(actual))}. Too many: {Show(actual.Except(expected))}.");
        Assert.Equal(model.FreeFrames, allocator.GetStatistics().FreeFrames);
    }
}
