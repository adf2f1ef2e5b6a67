namespace Quire;

/// <summary>A part of a recording's file, mapped for as long as the recording runs.</summary>
internal sealed unsafe class TraceSegment(TraceFile file, byte* address, long bytes)
{
    internal TraceFile File => file;

    internal TraceSegmentHeader* Header => (TraceSegmentHeader*)address;

    internal byte* Data => address + TraceLayout.HeaderBytes;

    internal long DataBytes => bytes - TraceLayout.HeaderBytes;

    internal void Unmap(TraceFileCalls calls) => calls.Unmap(address, bytes);
}
