using System.Buffers;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>The writer never moves what is written, gives each message away with references of its own, and holds nothing in the end.</summary>
[Collection(LedgerCollection.Name)]
public sealed class FragmentBufferWriterTests : IDisposable
{
    private readonly QuireMemoryPool _pool = new(new QuireMemoryPoolOptions { Name = "writer tests", TrimInterval = Timeout.InfiniteTimeSpan, LimitBytes = 64 * Trial.MiB });

    [Fact]
    public void Messages_agree_with_a_plain_list_whatever_sizes_are_asked_for_and_written() => Trial.Seeded(random =>
    {
        using FragmentBufferWriter writer = new(_pool, chunkSize: 256 << random.Next(5));
        List<(SharedSequence Message, byte[] Expected)> kept = [];
        List<byte> expected = [];
        for (int step = 0; step < 3_000; step++)
        {
            switch (random.Next(12))
            {
                case 0:
                    SharedSequence message = writer.Detach();
                    Assert.Equal(expected.Count, message.Length);
                    kept.Add((message, [.. expected]));
                    expected.Clear();
                    break;
                case 1 when random.Next(4) == 0:
                    writer.Clear();
                    expected.Clear();
                    break;
                case 2:
                    Assert.Equal(expected.ToArray(), writer.Written.ToArray());
                    break;
                case 3 when kept.Count > 0:
                    int index = random.Next(kept.Count);
                    Assert.True(kept[index].Message.Bytes.ToArray().AsSpan().SequenceEqual(kept[index].Expected), $"At step {step} a detached message changed.");
                    kept[index].Message.Dispose();
                    kept.RemoveAt(index);
                    break;
                default:
                    int hint = random.Next(3) == 0 ? 0 : random.Next(random.Next(10) == 0 ? 100_000 : 700);
                    Span<byte> span = random.Next(2) == 0 ? writer.GetSpan(hint) : writer.GetMemory(hint).Span;
                    Assert.True(span.Length >= Math.Max(1, hint), $"At step {step} {span.Length} bytes for a hint of {hint}.");
                    int written = random.Next(Math.Min(span.Length, Math.Max(hint, 50)) + 1);
                    random.NextBytes(span[..written]);
                    expected.AddRange(span[..written]);
                    writer.Advance(written);
                    break;
            }

            Assert.Equal(expected.Count, writer.WrittenLength);
        }

        foreach ((SharedSequence message, byte[] bytes) in kept)
        {
            Assert.Equal(bytes, message.Bytes.ToArray());
            message.Dispose();
        }
    });

    [Fact]
    public void Small_messages_share_a_chunk_and_each_has_a_reference_of_its_own()
    {
        using FragmentBufferWriter writer = new(_pool);
        SharedSequence first = Message(writer, 1, 100);
        SharedSequence second = Message(writer, 2, 100);
        Page page = OwnerOf(first).Page;
        Assert.Equal(page, OwnerOf(second).Page);
        int count = PageRef.Count(page);
        first.Dispose();
        Assert.Equal(count - 1, PageRef.Count(page));
        Assert.Equal(-1, second.Bytes.FirstSpan.IndexOfAnyExcept((byte)2));
        second.Dispose();
    }

    [Fact]
    public void A_long_message_has_few_pieces()
    {
        using FragmentBufferWriter writer = new(_pool);
        for (int i = 0; i < 10_000; i++)
        {
            writer.GetSpan(100)[..100].Fill((byte)i);
            writer.Advance(100);
        }

        using SharedSequence message = writer.Detach();
        Assert.Equal(1_000_000, message.Length);
        Assert.True(message.SegmentCount <= 20, $"{message.SegmentCount} pieces for a million bytes.");
    }

    [Fact]
    public void What_is_wrong_is_refused_and_what_is_written_stands()
    {
        FragmentBufferWriter writer = new(_pool);
        writer.GetSpan(10).Fill(3);
        writer.Advance(10);
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Advance(int.MaxValue));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Advance(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.GetSpan(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.GetMemory((4 << 20) + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new FragmentBufferWriter(_pool, chunkSize: 10));
        Assert.Equal(10, writer.WrittenLength);
        Assert.Equal(-1, writer.Written.FirstSpan.IndexOfAnyExcept((byte)3));
        writer.Clear();
        using SharedSequence nothing = writer.Detach();
        Assert.True(nothing.IsEmpty);
        writer.Dispose();
        writer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => writer.GetSpan());
        Assert.Throws<ObjectDisposedException>(() => writer.Detach());
    }

    [Fact]
    public void Without_memory_what_is_written_stands()
    {
        using QuireMemoryPool small = new(new QuireMemoryPoolOptions { Name = "small", LimitBytes = 4 * Trial.MiB, TrimInterval = Timeout.InfiniteTimeSpan });
        using FragmentBufferWriter writer = new(small);
        int written = 0;
        Action fill = () =>
        {
            while (true)
            {
                writer.GetSpan(5_000)[..5_000].Fill(9);
                writer.Advance(5_000);
                written += 5_000;
            }
        };
        Assert.ThrowsAny<PageAllocationException>(fill);
        Assert.True(written >= 2_000_000, $"Only {written} bytes went into 4 MiB.");
        Assert.Equal(written, writer.WrittenLength);
        using SharedSequence message = writer.Detach();
        Assert.Equal(written, message.Length);
    }

    [Fact]
    public void A_writer_and_its_messages_make_no_garbage_once_warm()
    {
        using FragmentBufferWriter writer = new(_pool);
        long bytes = Garbage.Least(5, () =>
        {
            for (int i = 0; i < 5_000; i++)
            {
                SharedSequence message = Message(writer, 1, 30 + (i % 5_000));
                SharedSequence slice = message.Slice(message.Length / 2, message.Length / 4);
                _ = message.Bytes.Length;
                message.Dispose();
                slice.Dispose();
            }
        });
        Assert.Equal(0, bytes);
    }

    [Fact]
    public void A_message_is_on_record_under_the_line_that_detached_it()
    {
        using IDisposable session = Holders.Track();
        using FragmentBufferWriter writer = new(_pool);
        SharedSequence message = Message(writer, 1, 9_000);
        Holder[] held = [.. Holders.All().Where(holder => holder.Current.Site.File.EndsWith("FragmentBufferWriterTests.cs", StringComparison.Ordinal) && holder.Current.Site.Member == nameof(Message))];
        Assert.Equal(message.SegmentCount, held.Count(holder => holder.Touched is not null));
        ReadOnlySequence<byte> kept = message.Bytes;
        message.Dispose();

        // What was kept against the rules is found while the ledger is on, whatever the objects serve by then.
        using SharedSequence other = Message(writer, 2, 9_000);
        Assert.Throws<PageBugException>(() => kept.FirstSpan.Length);
        Assert.Contains("disposed at FragmentBufferWriterTests.cs", Assert.Throws<ObjectDisposedException>(() => _ = message.Bytes).Message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() => _pool.Rent(1));
    }

    private static PageMemory OwnerOf(SharedSequence sequence)
    {
        Assert.True(PageMemory.TryGetOwner(sequence.Bytes.First, out PageMemory? owner, out _, out _));
        return owner;
    }

    private static SharedSequence Message(FragmentBufferWriter writer, byte value, int length)
    {
        writer.GetSpan(length)[..length].Fill(value);
        writer.Advance(length);
        return writer.Detach();
    }
}
