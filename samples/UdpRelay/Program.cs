namespace Quire.Samples.UdpRelay;

internal static class Program
{
    private static int Main(string[] arguments) => RelayCommand.Run(arguments, Console.Out, Console.Error);
}
