using System.Runtime.CompilerServices;
using Xunit;

namespace Quire.Tests.Pages;

/// <summary>Layout and budgets that the hot paths rely on.</summary>
public sealed unsafe class PageDescriptorTests
{
    [Fact]
    public void A_descriptor_is_one_cache_line_with_each_field_in_its_place()
    {
        Assert.Equal(64, sizeof(PageDescriptor));
        Assert.Equal(PageDescriptor.SizeInBytes, sizeof(PageDescriptor));
        Assert.Equal(4, sizeof(PageRef));
        PageDescriptor d;
        byte* start = (byte*)&d;
        (string Name, long Offset, int Size, long Expected)[] fields =
        [
            (nameof(d.Ref), (byte*)&d.Ref - start, sizeof(PageRef), 0),
            (nameof(d.Summary), (byte*)&d.Summary - start, 4, 4),
            (nameof(d.State), (byte*)&d.State - start, sizeof(PageState), 4),
            (nameof(d.Order), &d.Order - start, 1, 5),
            (nameof(d.Type), (byte*)&d.Type - start, sizeof(MigrateType), 6),
            (nameof(d.Flags), (byte*)&d.Flags - start, sizeof(PageFlags), 7),
            (nameof(d.Identity), (byte*)&d.Identity - start, 8, 8),
            (nameof(d.Address), (byte*)&d.Address - start, sizeof(nint), 16),
            (nameof(d.Next), (byte*)&d.Next - start, 4, 24),
            (nameof(d.Previous), (byte*)&d.Previous - start, 4, 28),
            (nameof(d.Head), (byte*)&d.Head - start, 4, 32),
        ];
        foreach ((string name, long offset, _, long expected) in fields)
        {
            Assert.True(offset == expected, $"{name} is at {offset}, not at {expected}.");
        }

        // No two fields share bytes, but for the summary and its four parts.
        (string Name, long Offset, int Size, long Expected)[] apart = [.. fields.Where(field => field.Name is not nameof(PageDescriptor.Summary)).OrderBy(field => field.Offset)];
        for (int i = 1; i < apart.Length; i++)
        {
            Assert.True(apart[i - 1].Offset + apart[i - 1].Size <= apart[i].Offset, $"{apart[i - 1].Name} and {apart[i].Name} overlap.");
        }
    }

    [Fact]
    public void The_summary_is_the_four_bytes_of_state_order_type_and_flags()
    {
        PageDescriptor d = default;
        d.State = PageState.InUse;
        Assert.Equal(PageDescriptor.PlainInUse, d.Summary);
        d.State = PageState.Magazine;
        Assert.Equal(PageDescriptor.PlainInMagazine, d.Summary);
        foreach (Action<PageDescriptorBox> change in (Action<PageDescriptorBox>[])
            [b => b.Value.Order = 1, b => b.Value.Type = MigrateType.Movable, b => b.Value.Flags = PageFlags.ZeroOnFree])
        {
            PageDescriptorBox box = new();
            box.Value.State = PageState.InUse;
            change(box);
            Assert.NotEqual(PageDescriptor.PlainInUse, box.Value.Summary);
        }
    }

    [Fact]
    public void Handles_are_sixteen_bytes()
    {
        Assert.Equal(16, sizeof(Page));
        Assert.Equal(16, sizeof(PageFragment));
        Assert.Equal(16, Unsafe.SizeOf<Page>());
    }

    [Fact]
    public void The_bits_of_an_identity_are_a_budget_without_overlap() => Trial.Seeded(random =>
    {
        Assert.Equal(64, PageIdentity.FrameBits + PageIdentity.GenerationBits + 2);
        Assert.Equal(PageIdentity.FrameBits, Ledger.FrameBits);
        ulong frame = PageIdentity.FrameMask;
        ulong generation = (ulong)PageIdentity.LastGeneration << PageIdentity.FrameBits;
        Assert.Equal(0ul, (frame & generation) | (frame & PageIdentity.TrackedBit) | (generation & PageIdentity.TrackedBit) | ((frame | generation | PageIdentity.TrackedBit) & PageIdentity.TailBit));
        Assert.Equal(ulong.MaxValue, frame | generation | PageIdentity.TrackedBit | PageIdentity.TailBit);
        for (int i = 0; i < 10_000; i++)
        {
            uint number = (uint)random.NextInt64(PageIdentity.FrameMask + 1L);
            long life = random.NextInt64(PageIdentity.LastGeneration + 1);
            ulong identity = PageIdentity.Of(number, life);
            foreach (ulong marked in (ulong[])[identity, identity | PageIdentity.TrackedBit, identity | PageIdentity.TailBit, identity | PageIdentity.TrackedBit | PageIdentity.TailBit])
            {
                Assert.Equal(number, PageIdentity.Frame(marked));
                Assert.Equal(life, PageIdentity.Generation(marked));
                Assert.Equal(identity, PageIdentity.Unmarked(marked));
            }

            Assert.Equal(identity + PageIdentity.GenerationOne, PageIdentity.Of(number, life + 1) | (life == PageIdentity.LastGeneration ? PageIdentity.TrackedBit : 0));
        }

        // The last generation of a page in use is far enough from the marks: two moves a use, and one when its memory goes.
        Assert.True(PagePreparation.RetireAt + 4 <= PageIdentity.LastGeneration);
    });

    private sealed class PageDescriptorBox
    {
        internal PageDescriptor Value;
    }
}
