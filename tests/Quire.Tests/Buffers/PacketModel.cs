using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>Some bytes of a page, as the model sees them.</summary>
internal sealed record ModelPart(Page Page, int Offset, int Length, object? Share)
{
    internal int End => Offset + Length;
}

/// <summary>A packet as plain lists, beside the real one.</summary>
internal sealed class ModelPacket
{
    internal PacketBuffer Real;

    /// <summary>Null where the packet never had a head.</summary>
    internal ModelPart? Head;
    internal int Start;
    internal int End;
    internal List<ModelPart> Fragments = [];

    internal IEnumerable<ModelPart> Parts => Head is null ? Fragments : Fragments.Prepend(Head);

    internal int HeadLength => Head?.Length ?? 0;

    internal int HeadRoom => Head is null ? 0 : Head.Offset - Start;

    internal int TailRoom => Head is null ? 0 : End - Head.End;

    internal int Length => Parts.Sum(part => part.Length);

    /// <summary>Takes bytes off the front, whole fragments with them.</summary>
    internal void TakeOffFront(int bytes)
    {
        int fromHead = Math.Min(bytes, HeadLength);
        if (Head is not null)
        {
            Head = Head with { Offset = Head.Offset + fromHead, Length = Head.Length - fromHead };
        }

        for (bytes -= fromHead; bytes > 0;)
        {
            int some = Math.Min(bytes, Fragments[0].Length);
            Fragments[0] = Fragments[0] with { Offset = Fragments[0].Offset + some, Length = Fragments[0].Length - some };
            bytes -= some;
            Fragments.RemoveAll(static part => part.Length == 0);
        }
    }

    internal void TakeOffEnd(int bytes)
    {
        while (bytes > 0 && Fragments.Count > 0)
        {
            int some = Math.Min(bytes, Fragments[^1].Length);
            Fragments[^1] = Fragments[^1] with { Length = Fragments[^1].Length - some };
            bytes -= some;
            Fragments.RemoveAll(static part => part.Length == 0);
        }

        if (bytes > 0)
        {
            Head = Head! with { Length = Head.Length - bytes };
        }
    }

    internal static bool Adjoins(ModelPart? last, ModelPart next) =>
        last is not null && last.Page == next.Page && last.End == next.Offset && last.Share == next.Share;

    internal static void Append(List<ModelPart> fragments, ModelPart part)
    {
        if (part.Length == 0)
        {
            return;
        }

        if (Adjoins(fragments.LastOrDefault(), part))
        {
            fragments[^1] = fragments[^1] with { Length = fragments[^1].Length + part.Length };
        }
        else
        {
            fragments.Add(part);
        }
    }
}

/// <summary>
/// All packets of a walk beside a model of them: what every byte of every page should be, and how many references each page should have.
/// </summary>
internal sealed unsafe class PacketModel(PageAllocator allocator, Random random)
{
    internal readonly PageFragmentCache Cache = new(allocator);
    internal readonly List<ModelPacket> Packets = [];
    private readonly Dictionary<Page, byte[]> _memory = [];

    internal ModelPacket Any() => Packets[random.Next(Packets.Count)];

    internal bool IsShared(ModelPacket packet) =>
        packet.Head?.Share is { } share && Packets.SelectMany(other => other.Parts).Count(part => part.Share == share) > 1;

    /// <summary>Fills memory that is somebody's to write with bytes that nobody could guess, in the page and in the model.</summary>
    internal void Write(Page page, int offset, Span<byte> bytes)
    {
        random.NextBytes(bytes);
        if (!_memory.TryGetValue(page.Head, out byte[]? memory))
        {
            _memory.Add(page.Head, memory = new byte[page.Head.Length]);
        }

        bytes.CopyTo(memory.AsSpan(offset));
    }

    internal byte[] Bytes(ModelPacket packet) => [.. packet.Parts.SelectMany(part => _memory[part.Page].AsSpan(part.Offset, part.Length).ToArray())];

    /// <summary>A fragment with known bytes.</summary>
    internal PageFragment Fragment(int size)
    {
        PageFragment fragment = Cache.Allocate(size);
        Write(fragment.Page, fragment.Offset, fragment.Span);
        return fragment;
    }

    internal void Add(PacketBuffer real, ModelPart? head, int start, int end, List<ModelPart>? fragments = null) =>
        Packets.Add(new ModelPacket { Real = real, Head = head, Start = start, End = end, Fragments = fragments ?? [] });

    /// <summary>Every packet's lengths and bytes, and every page's count: bias and one reference a part.</summary>
    internal void Check(string step)
    {
        Cache.Verify();
        foreach (ModelPacket packet in Packets)
        {
            packet.Real.Verify();
            Assert.True(packet.Real.Length == packet.Length, $"{step}: {packet.Real.Length} bytes instead of {packet.Length}.");
            Assert.Equal((packet.HeadRoom, packet.HeadLength, packet.TailRoom), (packet.Real.HeadRoom, packet.Real.HeadLength, packet.Real.TailRoom));
            Assert.True(packet.Real.IsShared == IsShared(packet), $"{step}: {packet.Real} is {(packet.Real.IsShared ? "" : "not ")}shared.");
            byte[] expected = Bytes(packet);
            byte[] bytes = new byte[packet.Length];
            packet.Real.CopyTo(bytes);
            Assert.True(bytes.AsSpan().SequenceEqual(expected), $"{step}: the bytes of {packet.Real} differ at {bytes.AsSpan().CommonPrefixLength(expected)}.");
            Assert.Equal(packet.Fragments.Count, packet.Real.FragmentCount);
            for (int i = 0, at = packet.HeadLength; i < packet.Fragments.Count; at += packet.Fragments[i++].Length)
            {
                Assert.True(packet.Real.Fragment(i).SequenceEqual(expected.AsSpan(at, packet.Fragments[i].Length)), $"{step}: fragment {i} of {packet.Real}.");
            }
        }

        foreach (IGrouping<Page, ModelPart> page in Packets.SelectMany(packet => packet.Parts).GroupBy(part => part.Page))
        {
            int bias = ((IBiasOwner)Cache).BiasOn(Trial.Head(page.Key));
            Assert.True(PageRef.Count(page.Key) == bias + page.Count(), $"{step}: {page.Key} counts {PageRef.Count(page.Key)}, with a bias of {bias} and {page.Count()} parts of packets.");
        }
    }
}
