using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>Copies one page.</summary>
internal static unsafe class PageCopy
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Copy(byte* destination, byte* source) => Unsafe.CopyBlock(destination, source, PageMap.FrameSize);
}
