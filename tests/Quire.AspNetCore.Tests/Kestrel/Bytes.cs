using System.Security.Cryptography;

namespace Quire.AspNetCore.Tests.Kestrel;

/// <summary>Bodies of any size that both ends make from a seed, so that nobody holds them whole.</summary>
internal static class Bytes
{
    /// <summary>A stream of seeded bytes; each read gives what it likes, so that segments are cut everywhere.</summary>
    internal static Stream Stream(int seed, long length) => new SeededStream(seed, length);

    /// <summary>The hash of what <see cref="Stream"/> gives.</summary>
    internal static async Task<string> HashAsync(int seed, long length)
    {
        await using Stream stream = Stream(seed, length);
        return await HashAsync(stream);
    }

    internal static async Task<string> HashAsync(Stream stream, CancellationToken cancellationToken = default) =>
        Convert.ToHexString(await SHA256.HashDataAsync(stream, cancellationToken));

    /// <summary>A body without a declared length where <paramref name="chunked"/>.</summary>
    internal static HttpContent Content(int seed, long length, bool chunked)
    {
        StreamContent content = new(Stream(seed, length));
        content.Headers.ContentLength = chunked ? null : length;
        return content;
    }

    private sealed class SeededStream(int seed, long length) : Stream
    {
        private readonly byte[] _block = Block(seed);
        private readonly Random _cuts = new(seed);
        private long _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => _position;
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            int count = (int)Math.Min(Math.Min(buffer.Length, length - _position), _cuts.Next(1, 70_000));
            for (int i = 0; i < count;)
            {
                // A prime length: no page-sized shift of the bytes looks like the bytes.
                int at = (int)((_position + i) % _block.Length);
                int part = Math.Min(count - i, _block.Length - at);
                _block.AsSpan(at, part).CopyTo(buffer[i..]);
                i += part;
            }

            _position += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Task.FromResult(Read(buffer, offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        private static byte[] Block(int seed)
        {
            byte[] block = new byte[104_729];
            new Random(seed).NextBytes(block);
            return block;
        }
    }
}
