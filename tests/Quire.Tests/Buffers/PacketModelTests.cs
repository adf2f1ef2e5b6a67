using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>Packets do what a model of plain lists does, step by step: bytes, lengths, who may write, and the references on every page.</summary>
public sealed unsafe class PacketModelTests
{
    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    [InlineData("hostile")]
    public void A_walk_of_all_operations_agrees_with_the_model_at_every_step(string provider) => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator(64 * Trial.MiB, Trial.Provider(provider));
        PacketModel model = new(allocator, random);
        for (int step = 0; step < 4_000; step++)
        {
            string what = Step(model, allocator, random);
            model.Check($"Step {step}, {what}");
        }

        foreach (ModelPacket packet in model.Packets)
        {
            packet.Real.Dispose();
        }

        model.Cache.Dispose();
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        allocator.Verify();
        allocator.Dispose();
    });

    private static string Step(PacketModel model, PageAllocator allocator, Random random)
    {
        if (model.Packets.Count == 0 || (model.Packets.Count < 40 && random.Next(8) == 0))
        {
            return random.Next(3) == 0 ? BuildAroundPage(model, allocator, random) : Allocate(model, random);
        }

        ModelPacket packet = model.Any();
        return random.Next(14) switch
        {
            0 => Reserve(packet, random),
            1 => Push(model, packet, random),
            2 => Pull(packet, random),
            3 => Put(model, packet, random),
            4 => Trim(packet, random),
            5 or 6 when model.Packets.Count < 60 => Clone(model, packet),
            7 when model.Packets.Count < 60 => Split(model, packet, random),
            8 => Coalesce(model, packet, random),
            9 => Unshare(model, packet, random),
            10 => Linearize(model, packet, random),
            11 or 12 => AddFragment(model, packet, random),
            _ => Dispose(model, packet, random),
        };
    }

    private static string Allocate(PacketModel model, Random random)
    {
        int size = random.Next(8) == 0 ? random.Next(30_000, 80_000) : random.Next(1, 3_000);
        PacketBuffer real = PacketBuffer.Allocate(model.Cache, size);
        Introduce(model, real, size, 0, 0);
        return "allocate";
    }

    private static string BuildAroundPage(PacketModel model, PageAllocator allocator, Random random)
    {
        Page page = allocator.Allocate(random.Next(3));
        int frame = random.Next(1 << page.Order);
        int left = page.Length - (frame * Trial.Frame);
        int offset = random.Next(left);
        int capacity = random.Next(1, left - offset + 1);
        int headRoom = random.Next(capacity);
        int length = random.Next(capacity - headRoom + 1);

        // A handle that names a tail owns a reference as well as any.
        PacketBuffer real = PacketBuffer.Build(page.Frame(frame), offset, capacity, headRoom, length);
        Introduce(model, real, capacity, headRoom, length);
        return "build";
    }

    private static void Introduce(PacketModel model, PacketBuffer real, int capacity, int headRoom, int length)
    {
        PacketBody body = real.State;
        Assert.Equal((capacity, headRoom, length), (body.End - body.Start, real.HeadRoom, real.Length));
        Page page = body.Head.Page;
        model.Write(page, body.Start, page.Span.Slice(body.Start, capacity));
        model.Add(real, new ModelPart(page, body.Head.Offset, length, null), body.Start, body.End);
    }

    private static string Reserve(ModelPacket packet, Random random)
    {
        int bytes = random.Next(300);
        if (packet.Length != 0 || bytes > packet.TailRoom)
        {
            Assert.Throws<PacketBugException>(() => packet.Real.Reserve(bytes));
            return "reserve refused";
        }

        packet.Real.Reserve(bytes);
        packet.Head = packet.Head is null ? null : packet.Head with { Offset = packet.Head.Offset + bytes };
        return "reserve";
    }

    private static string Push(PacketModel model, ModelPacket packet, Random random)
    {
        int bytes = random.Next(200);
        if (bytes > packet.HeadRoom || model.IsShared(packet))
        {
            Assert.Throws<PacketBugException>(() => packet.Real.Push(bytes));
            return "push refused";
        }

        Span<byte> added = packet.Real.Push(bytes);
        Assert.Equal(bytes, added.Length);
        if (packet.Head is not null)
        {
            packet.Head = packet.Head with { Offset = packet.Head.Offset - bytes, Length = packet.Head.Length + bytes };
            model.Write(packet.Head.Page, packet.Head.Offset, added);
        }

        return "push";
    }

    private static string Put(PacketModel model, ModelPacket packet, Random random)
    {
        int bytes = random.Next(1_000);
        if (bytes > packet.TailRoom || packet.Fragments.Count != 0 || model.IsShared(packet))
        {
            Assert.Throws<PacketBugException>(() => packet.Real.Put(bytes));
            return "put refused";
        }

        Span<byte> added = packet.Real.Put(bytes);
        Assert.Equal(bytes, added.Length);
        if (packet.Head is not null)
        {
            model.Write(packet.Head.Page, packet.Head.End, added);
            packet.Head = packet.Head with { Length = packet.Head.Length + bytes };
        }

        return "put";
    }

    private static string Pull(ModelPacket packet, Random random)
    {
        int bytes = random.Next(packet.Length + 2);
        if (bytes > packet.Length)
        {
            Assert.Throws<PacketBugException>(() => packet.Real.Pull(bytes));
            return "pull refused";
        }

        packet.Real.Pull(bytes);
        packet.TakeOffFront(bytes);
        return "pull";
    }

    private static string Trim(ModelPacket packet, Random random)
    {
        int length = random.Next(packet.Length + 2);
        if (length > packet.Length)
        {
            Assert.Throws<PacketBugException>(() => packet.Real.Trim(length));
            return "trim refused";
        }

        packet.Real.Trim(length);
        packet.TakeOffEnd(packet.Length - length);
        return "trim";
    }

    private static string Clone(PacketModel model, ModelPacket packet)
    {
        PacketBuffer clone = packet.Real.Clone();
        packet.Head = packet.Head is null ? null : packet.Head with { Share = packet.Head.Share ?? new object() };
        model.Add(clone, packet.Head, packet.Start, packet.End, [.. packet.Fragments]);
        return "clone";
    }

    private static string Split(PacketModel model, ModelPacket packet, Random random)
    {
        int at = random.Next(packet.Length + 2);
        if (at > packet.Length)
        {
            Assert.Throws<PacketBugException>(() => packet.Real.Split(at));
            return "split refused";
        }

        ModelPacket rest = new() { Real = packet.Real.Split(at) };
        if (at < packet.HeadLength)
        {
            rest.Head = packet.Head! with { Offset = packet.Head.Offset + at, Length = packet.HeadLength - at };
            rest.Start = rest.Head.Offset;
            rest.End = packet.End;
            rest.Fragments = packet.Fragments;
            packet.Head = packet.Head with { Length = at };
            packet.End = packet.Head.End;
            packet.Fragments = [];
        }
        else
        {
            // The rest as it would be with all before it pulled, the first as it would be with all behind it trimmed.
            rest.Fragments = [.. packet.Fragments];
            rest.TakeOffFront(at - packet.HeadLength);
            packet.TakeOffEnd(packet.Length - at);
        }

        model.Packets.Add(rest);
        return "split";
    }

    private static string Coalesce(PacketModel model, ModelPacket packet, Random random)
    {
        // Half of the time the one made last: it often is the other half of a cut one.
        ModelPacket next = random.Next(2) == 0 ? model.Packets[^1] : model.Any();
        if (next == packet)
        {
            Assert.Throws<PacketBugException>(() => packet.Real.Coalesce(next.Real));
            return "coalesce with itself";
        }

        bool joins = packet.Fragments.Count == 0 && packet.TailRoom == 0 && next.HeadRoom == 0 && packet.Head is not null && next.Head is not null && ModelPacket.Adjoins(packet.Head, next.Head);
        List<ModelPart> fragments = [.. packet.Fragments];
        if (!joins && next.Head is not null)
        {
            ModelPacket.Append(fragments, next.Head);
        }

        next.Fragments.ForEach(part => ModelPacket.Append(fragments, part));
        if (fragments.Count > PacketBuffer.MaxFragments)
        {
            Assert.False(packet.Real.TryCoalesce(next.Real));
            return "coalesce of too many";
        }

        packet.Real.Coalesce(next.Real);
        Assert.False(next.Real.IsAlive);
        if (joins)
        {
            packet.Head = packet.Head! with { Length = packet.HeadLength + next.HeadLength };
            packet.End = next.End;
        }

        packet.Fragments = fragments;
        model.Packets.Remove(next);
        return joins ? "coalesce of two halves" : "coalesce";
    }

    private static string Unshare(PacketModel model, ModelPacket packet, Random random)
    {
        (int headRoom, int tailRoom) = (random.Next(100), random.Next(100));
        bool copies = model.IsShared(packet) || packet.HeadRoom < headRoom || packet.TailRoom < tailRoom;
        int length = packet.HeadLength;
        Assert.Equal(copies ? length : 0, packet.Real.Unshare(headRoom, tailRoom, model.Cache));
        if (copies)
        {
            NewHead(model, packet, length, headRoom, tailRoom);
        }

        return "unshare";
    }

    private static string Linearize(PacketModel model, ModelPacket packet, Random random)
    {
        int length = random.Next(packet.Length + 1);
        int headRoom = packet.HeadRoom;
        bool copies = length > packet.HeadLength;
        Assert.Equal(length, packet.Real.Linearize(length, model.Cache).Length);
        if (copies)
        {
            NewHead(model, packet, length, headRoom, 0);
        }

        return "linearize";
    }

    /// <summary>The model of a head that moved: its room has fresh bytes, the data is what it was.</summary>
    private static void NewHead(PacketModel model, ModelPacket packet, int length, int headRoom, int tailRoom)
    {
        byte[] data = model.Bytes(packet)[..length];
        PacketBody body = packet.Real.State;
        Page page = body.Head.Page;
        Span<byte> bytes = page.Span[body.Start..body.End];
        Assert.Equal(Math.Max(1, headRoom + length + tailRoom), bytes.Length);
        Assert.True(bytes.Slice(headRoom, length).SequenceEqual(data), "A head that moved has other bytes.");
        packet.TakeOffFront(length);
        packet.Head = new ModelPart(page, body.Start + headRoom, length, null);
        packet.Start = body.Start;
        packet.End = body.End;
        model.Write(page, body.Start, bytes);
    }

    private static string AddFragment(PacketModel model, ModelPacket packet, Random random)
    {
        // Multiples of eight lie side by side on the cache's page, so that neighbours are common.
        int size = random.Next(4) == 0 ? random.Next(1, 60_000) : 8 * random.Next(1, 40);
        PageFragment fragment = model.Fragment(size);
        int offset = fragment.Offset;
        ModelPart part = new(fragment.Page, offset, size, null);
        List<ModelPart> fragments = [.. packet.Fragments];
        ModelPacket.Append(fragments, part);
        if (fragments.Count > PacketBuffer.MaxFragments)
        {
            Assert.Throws<PacketBugException>(() => packet.Real.AddFragment(fragment));
            model.Cache.Free(fragment);
            return "18th fragment refused";
        }

        packet.Real.AddFragment(fragment);
        packet.Fragments = fragments;
        return "add fragment";
    }

    private static string Dispose(PacketModel model, ModelPacket packet, Random random)
    {
        switch (random.Next(3))
        {
            case 0:
                packet.Real.Dispose();
                model.Packets.Remove(packet);
                return "dispose";
            case 1:
                Trial.OnThread(() => packet.Real.Dispose());
                model.Packets.Remove(packet);
                return "dispose elsewhere";
            default:
                List<ModelPacket> many = [.. model.Packets.Take(random.Next(12))];
                PacketBuffer.DisposeAll([.. many.Select(one => one.Real)]);
                model.Packets.RemoveAll(many.Contains);
                return "dispose all";
        }
    }
}
