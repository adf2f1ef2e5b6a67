using System.IO.Pipelines;

namespace Quire;

/// <summary>Options for a <see cref="Pipe"/> whose buffers are page memory, so that parts of them can be kept past <c>AdvanceTo</c> without a copy (<see cref="SharedSequence.PreserveFrom"/>).</summary>
public static class QuirePipeOptions
{
    /// <summary>Makes the options.</summary>
    /// <param name="pool">Where the pipe's buffers come from; null for <see cref="QuireMemoryPool.Shared"/>. It must outlive the pipe.</param>
    /// <param name="minimumSegmentSize">The size of a buffer in bytes unless the writer asks for more; -1 for the pipe's own default of 4,096, one page.</param>
    /// <param name="pauseWriterThreshold">Unread bytes at which flushes begin to wait; -1 for the pipe's own default, 0 for never.</param>
    /// <param name="resumeWriterThreshold">Unread bytes at which they go on; -1 for the pipe's own default.</param>
    /// <param name="readerScheduler">Where the reader's continuations run; null for the thread pool.</param>
    /// <param name="writerScheduler">Where the writer's continuations run; null for the thread pool.</param>
    /// <param name="useSynchronizationContext">True where continuations are to go to the caller's context, as a pipe does on its own; servers have none.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is none.</exception>
    public static PipeOptions Create(
        QuireMemoryPool? pool = null,
        int minimumSegmentSize = -1,
        long pauseWriterThreshold = -1,
        long resumeWriterThreshold = -1,
        PipeScheduler? readerScheduler = null,
        PipeScheduler? writerScheduler = null,
        bool useSynchronizationContext = false)
    {
        if (minimumSegmentSize is < -1 or 0 or > QuireMemoryPool.LargestBuffer)
        {
            throw new ArgumentOutOfRangeException(nameof(minimumSegmentSize), minimumSegmentSize, $"A segment has 1 to {QuireMemoryPool.LargestBuffer} bytes, or -1 for the usual size.");
        }

        return new PipeOptions(pool ?? QuireMemoryPool.Shared, readerScheduler, writerScheduler, pauseWriterThreshold, resumeWriterThreshold, minimumSegmentSize, useSynchronizationContext);
    }
}
